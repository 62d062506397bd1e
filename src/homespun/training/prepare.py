"""What a recipe needs before it can be trained: text, tokenizer, token data sets; what is there is kept."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from homespun.corpus.catalogue import NAMED_TEXTS, NamedText
from homespun.corpus.config import SourceConfig
from homespun.corpus.downloads import download_text
from homespun.corpus.reader import read_documents
from homespun.corpus.storybook.write import entropy_path, write_storybook
from homespun.data.dataset import TokenDataset
from homespun.data.encode import encode_corpus
from homespun.data.manifest import MANIFEST_NAME
from homespun.errors import ConfigError, DataError
from homespun.files import check_is_file, make_directory, write_atomically
from homespun.progress import ProgressCallback, ignore_progress
from homespun.records import CorpusEntropy, read_json_record
from homespun.seeding import derive_seed
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.train import train_bpe
from homespun.training.config import RunConfig

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

    def text(self, part: str) -> Path:
        """The training or validation text, generated or downloaded if it is not there."""
        path = Path(self._source.train if part == "train" else self._source.valid)
        named = _named_text(self._source, part)
        if self._source.corpus == "storybook":
            self._storybook(path, part)
        elif not path.exists() and named is not None and path.name == named.file_name:
            with self._show_progress(f"downloading {named.file_name}", "bytes") as on_progress:
                download = download_text(named, path, on_progress=on_progress)
            self._tell(f"downloaded {path}: {download.num_bytes:,} bytes, sha256 {download.sha256}; {named.licence}")
        check_is_file(path, f"the text that source.{part} names", f"give its path with --source.{part}")
        return path

    def tokenizer(self) -> Tokenizer:
        """The recipe's tokenizer, trained on the training text if it is not there."""
        directory, wanted = Path(self._config.data.tokenizer), self._config.tokenizer
        if directory.exists():
            tokenizer = Tokenizer.load(directory)
            self._tell(f"kept {directory}: a tokenizer of {tokenizer.vocab_size:,} tokens")
        else:
            text = self.text("train")
            with self._plain_text(text) as plain, self._show_progress("training the tokenizer", "steps") as on_progress:
                vocab, merges = train_bpe(
                    plain, wanted.vocab_size, wanted.special_tokens, pattern=wanted.pattern, on_progress=on_progress
                )
            tokenizer = Tokenizer(vocab, merges, wanted.special_tokens, pattern=wanted.pattern)
            make_directory(directory.parent)
            tokenizer.save(directory)
            self._tell(f"made {directory}: a tokenizer of {tokenizer.vocab_size:,} tokens, from {text}")
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
        if finished and not Path(self._source.train if part == "train" else self._source.valid).exists():
            # The text was taken away after encoding, which needs it no more.
            dataset = TokenDataset.open(directory)
            dataset.check_tokenizer(tokenizer.fingerprint)
        else:
            text = self.text(part)
            with self._show_progress(f"encoding {text.name}", "bytes") as on_progress:
                dataset = encode_corpus(
                    tokenizer,
                    text,
                    directory,
                    separator=self._source.separator,
                    text_key=self._source.text_key,
                    entropy=self._entropy(text),
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
        entropy = self._entropy(path)
        if entropy is None or entropy.num_documents != num_stories:
            found = "of unknown entropy" if entropy is None else f"of {entropy.num_documents:,} stories"
            raise DataError(
                f"{path}: a storybook {found}, but source.num_{part}_stories = {num_stories:,}; "
                "delete it to make it anew, or name another file"
            )

    def _entropy(self, text: Path) -> CorpusEntropy | None:
        sidecar = entropy_path(text)
        return read_json_record(sidecar, CorpusEntropy) if sidecar.exists() else None

    @contextmanager
    def _plain_text(self, path: Path) -> Iterator[Path]:
        """`path` itself, or the text of a compressed or .jsonl file in a temporary plain one beside it."""
        if path.suffix not in (".gz", ".zst", ".jsonl"):
            yield path
            return
        plain = path.with_name(f".{path.name}.txt")
        source = self._source
        try:
            with write_atomically(plain) as file:
                for document in read_documents(path, separator=source.separator, text_key=source.text_key):
                    file.write(document.encode())
                    file.write(source.separator.encode())
            yield plain
        finally:
            plain.unlink(missing_ok=True)


def _named_text(source: SourceConfig, part: str) -> NamedText | None:
    return NAMED_TEXTS.get(source.corpus if part == "train" else f"{source.corpus}-valid")
