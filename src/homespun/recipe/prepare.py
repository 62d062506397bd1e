"""What a recipe needs before it can be trained: text, tokenizer, token data sets; what is there is kept."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from homespun.corpus.catalogue import NAMED_TEXTS, NamedText
from homespun.corpus.config import SourceConfig
from homespun.corpus.downloads import download_text
from homespun.corpus.inputs import InputFile, expand_inputs
from homespun.data.dataset import TokenDataset
from homespun.data.encode import encode_corpus
from homespun.data.manifest import MANIFEST_NAME
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.files import make_directory
from homespun.progress import ProgressCallback, ignore_progress
from homespun.recipe.config import RunConfig
from homespun.records import read_json_record
from homespun.seeding import derive_seed
from homespun.storybook.write import entropy_path, write_storybook
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.train import train_bpe

ShowProgress = Callable[[str, str], AbstractContextManager[ProgressCallback]]
"""(what is being done, unit) -> a block in which a callback shows how far it is."""


def show_nothing(_description: str, _unit: str) -> AbstractContextManager[ProgressCallback]:
    """Progress for nobody."""
    return nullcontext(ignore_progress)


def prepare(
    config: RunConfig, *, tell: Callable[[str], None] = lambda _: None, show_progress: ShowProgress = show_nothing
) -> None:
    """Make what of `config.source` and `config.data` is not there yet.

    Each file takes its name only when it is whole, and encoding keeps its finished shards: after an interruption the
    same call goes on.

    Args:
        config: Of the run.
        tell: Called with one line about each thing that is made or kept.
        show_progress: Shows the progress of each.

    Raises:
        MissingFileError: a text is not there, and is neither generated nor downloaded.
        DataError: a text is damaged, or something there was made from something else.
        ConfigError: tokenizer and recipe do not fit together.
        DownloadError: a download fails.
        StorageError: the disk is full or refuses.
    """
    preparation = _Preparation(config, tell, show_progress)
    tokenizer = preparation.tokenizer()
    preparation.dataset("train", tokenizer)
    preparation.dataset("valid", tokenizer)


class _Preparation:
    def __init__(self, config: RunConfig, tell: Callable[[str], None], show_progress: ShowProgress) -> None:
        self._config = config
        self._source = config.source
        self._tell = tell
        self._show_progress = show_progress

    def text(self, part: str) -> list[InputFile]:
        """The files of the training or validation text, generated or downloaded if they are not there."""
        name = self._source.train if part == "train" else self._source.valid
        path = Path(name)
        named = _named_text(self._source, part)
        if self._source.corpus == "storybook":
            self._storybook(path, part)
        elif not path.exists() and named is not None and path.name == named.file_name:
            with self._show_progress(f"downloading {named.file_name}", "bytes") as on_progress:
                download = download_text(named, path, on_progress=on_progress, tell=self._tell)
            self._tell(f"downloaded {path}: {download.num_bytes:,} bytes, sha256 {download.sha256}; {named.licence}")
        try:
            return expand_inputs(name)
        except MissingFileError as error:
            raise MissingFileError(
                f"{error}; it is the text that source.{part} names: give its path with --source.{part}"
            ) from error

    def tokenizer(self) -> Tokenizer:
        """The recipe's tokenizer, trained on the training text if it is not there."""
        directory, wanted = Path(self._config.data.tokenizer), self._config.tokenizer
        if directory.exists():
            tokenizer = Tokenizer.load(directory)
            self._tell(f"kept {directory}: a tokenizer of {tokenizer.vocab_size:,} tokens")
        else:
            files = self.text("train")
            make_directory(directory.parent)
            with self._show_progress("training the tokenizer", "steps") as on_progress:
                vocab, merges = train_bpe(
                    files,
                    wanted.vocab_size,
                    wanted.special_tokens,
                    pattern=wanted.pattern,
                    text_key=self._source.text_key,
                    ties=wanted.ties,
                    on_progress=on_progress,
                )
            tokenizer = Tokenizer(vocab, merges, wanted.special_tokens, pattern=wanted.pattern)
            tokenizer.save(directory)
            self._tell(f"made {directory}: a tokenizer of {tokenizer.vocab_size:,} tokens, from {self._source.train}")
        if tokenizer.vocab_size > wanted.vocab_size:
            raise ConfigError(
                f"data.tokenizer = {directory} has {tokenizer.vocab_size:,} tokens, more than "
                f"tokenizer.vocab_size = {wanted.vocab_size:,}; name another directory, or raise that number and "
                "model.vocab_size"
            )
        return tokenizer

    def dataset(self, part: str, tokenizer: Tokenizer) -> None:
        """The training or validation set, encoded from its text if it is not there."""
        directory = Path(self._config.data.train if part == "train" else self._config.data.valid)
        finished = (directory / MANIFEST_NAME).exists()
        if finished and not self._has_text(part):
            # The text was taken away after encoding, which needs it no more.
            dataset = TokenDataset.open(directory)
            dataset.check_tokenizer(tokenizer.fingerprint)
        else:
            files = self.text(part)
            with self._show_progress(f"encoding {part} text", "bytes") as on_progress:
                dataset = encode_corpus(
                    tokenizer,
                    files,
                    directory,
                    separator=self._source.separator,
                    text_key=self._source.text_key,
                    entropy=self._entropy(files),
                    on_progress=on_progress,
                )
        self._tell(
            f"{'kept' if finished else 'made'} {directory}: {len(dataset):,} tokens of {dataset.num_bytes:,} bytes, "
            f"{dataset.num_bytes / len(dataset):.2f} bytes a token"
        )

    def _storybook(self, path: Path, part: str) -> None:
        num_stories = self._source.num_train_stories if part == "train" else self._source.num_valid_stories
        if not path.exists():
            make_directory(path.parent)
            with self._show_progress(f"writing {path.name}", "stories") as on_progress:
                seed = derive_seed(self._source.seed, part)
                write_storybook(path, num_stories=num_stories, seed=seed, on_progress=on_progress)
            self._tell(f"made {path}: {num_stories:,} stories")
        entropy = self._entropy([InputFile(str(path))])
        if entropy is None or entropy.num_documents != num_stories:
            found = "of unknown entropy" if entropy is None else f"of {entropy.num_documents:,} stories"
            raise DataError(
                f"{path}: a storybook {found}, but source.num_{part}_stories = {num_stories:,}; "
                "delete it to make it anew, or name another file"
            )

    def _has_text(self, part: str) -> bool:
        try:
            expand_inputs(self._source.train if part == "train" else self._source.valid)
        except MissingFileError:
            return False
        return True

    def _entropy(self, files: Sequence[InputFile]) -> CorpusEntropy | None:
        """The exact bits of a text in one file that says them in another beside it."""
        path = files[0].path
        if len(files) > 1 or path is None or not entropy_path(path).exists():
            return None
        return read_json_record(entropy_path(path), CorpusEntropy)


def _named_text(source: SourceConfig, part: str) -> NamedText | None:
    return NAMED_TEXTS.get(source.corpus if part == "train" else f"{source.corpus}-valid")
