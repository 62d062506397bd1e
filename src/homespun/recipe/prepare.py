"""What a recipe needs before it can be trained: text, tokenizer, token data sets; what exists is kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from homespun.corpus.catalogue import NAMED_TEXTS, NamedText
from homespun.corpus.downloads import download_text
from homespun.corpus.inputs import InputFile, expand_inputs
from homespun.data.dataset import TokenDataset
from homespun.data.encode import encode_corpus
from homespun.data.manifest import MANIFEST_NAME
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError, MissingFileError
from homespun.files import remove_temporaries
from homespun.locks import hold_lock
from homespun.progress import ProgressCallback, ignore_progress
from homespun.recipe.config import RunConfig
from homespun.recipe.data import check_tokenizer
from homespun.records import read_json_record
from homespun.seeding import derive_seed
from homespun.storybook.write import entropy_path, write_storybook
from homespun.tokenizer.counting.job import CountOptions
from homespun.tokenizer.storage.directory import TOKENIZER_FILE, is_incomplete_save
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.train import check_special_tokens_stay_apart, train_bpe

ShowProgress = Callable[[str, str], AbstractContextManager[ProgressCallback]]
"""(description, unit) -> a block in which a callback shows progress."""


@dataclass(frozen=True)
class _Split:
    """The training or validation half of what a recipe names."""

    name: str
    text: str
    """Path, pattern or URL of its text."""
    data: Path
    """Directory of its token data set."""
    num_stories: int
    named: NamedText | None
    """The text that can be downloaded, where the corpus has one."""


def show_nothing(_description: str, _unit: str) -> AbstractContextManager[ProgressCallback]:
    """No progress display."""
    return nullcontext(ignore_progress)


def prepare(
    config: RunConfig,
    *,
    on_message: Callable[[str], None] = lambda _: None,
    show_progress: ShowProgress = show_nothing,
) -> None:
    """Make what `config.source` and `config.data` name and does not exist yet.

    Every file appears whole or not at all, and encoding keeps its finished shards: after an interruption the same
    call resumes. A tokenizer directory in which an interrupted call left only some of the files is completed.

    Args:
        config: Of the run.
        on_message: Called with a log line for everything that is made or kept.
        show_progress: Shows the progress of each.

    Raises:
        HomespunError: mainly DataError and ConfigError, where an existing file was made from another recipe.
    """
    preparation = _Preparation(config, on_message, show_progress)
    source, data = config.source, config.data
    named = NAMED_TEXTS.get(source.corpus), NAMED_TEXTS.get(f"{source.corpus}-valid")
    train = _Split("train", source.train, Path(data.train), source.num_train_stories, named[0])
    valid = _Split("valid", source.valid, Path(data.valid), source.num_valid_stories, named[1])
    tokenizer = preparation.tokenizer(train)
    for split in (train, valid):
        preparation.dataset(split, tokenizer)


class _Preparation:
    def __init__(self, config: RunConfig, on_message: Callable[[str], None], show_progress: ShowProgress) -> None:
        self._config = config
        self._source = config.source
        self._log = on_message
        self._show_progress = show_progress

    def text(self, split: _Split) -> list[InputFile]:
        """Return the files of the split's text, generated or downloaded if they do not exist."""
        path, named = Path(split.text), split.named
        if self._source.corpus == "storybook":
            self._storybook(path, split)
        elif named is not None and path.name == named.file_name and not path.exists():
            with self._show_progress(f"downloading {named.file_name}", "bytes") as on_progress:
                download = download_text(named, path, on_progress=on_progress, on_message=self._log)
            self._log(f"downloaded {path}: {download.num_bytes:,} bytes, sha256 {download.sha256}; {named.licence}")
        try:
            return expand_inputs(split.text)
        except MissingFileError as error:
            raise MissingFileError(
                f"{error}; it is the text that source.{split.name} names: give its path with --source.{split.name}"
            ) from error

    def tokenizer(self, split: _Split) -> Tokenizer:
        """Return the recipe's tokenizer, trained on the training text if it does not exist or is incomplete."""
        directory, wanted = Path(self._config.data.tokenizer), self._config.tokenizer
        is_incomplete = is_incomplete_save(directory)
        if directory.exists():
            try:
                tokenizer = Tokenizer.load(directory)
                check_tokenizer(tokenizer, self._config)
                self._log(f"kept {directory}: a tokenizer of {len(tokenizer):,} tokens")
                return tokenizer
            except MissingFileError:
                if not is_incomplete:
                    raise
        files = self.text(split)
        check_special_tokens_stay_apart(wanted.special_tokens, wanted.pattern, files)
        with hold_lock(directory.parent):
            remove_temporaries(directory.parent, directory.name)
            with self._show_progress("training the tokenizer", "steps") as on_progress:
                vocab, merges = train_bpe(
                    files,
                    wanted.vocab_size,
                    wanted.special_tokens,
                    pattern=wanted.pattern,
                    ties=wanted.ties,
                    options=CountOptions(text_key=self._source.text_key),
                    on_progress=on_progress,
                )
            tokenizer = Tokenizer(vocab, merges, wanted.special_tokens, pattern=wanted.pattern)
            tokenizer.save(directory)
        why = f"; {TOKENIZER_FILE} was missing there" if is_incomplete else ""
        self._log(f"made {directory}: a tokenizer of {len(tokenizer):,} tokens, from {split.text}{why}")
        return tokenizer

    def dataset(self, split: _Split, tokenizer: Tokenizer) -> None:
        """Encode the split's text into its token data set, unless it exists."""
        finished = (split.data / MANIFEST_NAME).exists()
        if finished and not _has_text(split):
            # The text may be deleted after encoding.
            dataset = TokenDataset.open(split.data)
            dataset.check_tokenizer(tokenizer.fingerprint)
        else:
            files = self.text(split)
            with self._show_progress(f"encoding {split.name} text", "bytes") as on_progress:
                dataset = encode_corpus(
                    tokenizer,
                    files,
                    split.data,
                    separator=self._source.separator,
                    text_key=self._source.text_key,
                    entropy=_entropy_of(files),
                    on_progress=on_progress,
                )
        self._log(
            f"{'kept' if finished else 'made'} {split.data}: {len(dataset):,} tokens of {dataset.num_bytes:,} bytes, "
            f"{dataset.num_bytes / len(dataset):.2f} bytes a token"
        )

    def _storybook(self, path: Path, split: _Split) -> None:
        if not path.exists():
            with hold_lock(path.parent), self._show_progress(f"writing {path.name}", "stories") as on_progress:
                for file in (path, entropy_path(path)):
                    remove_temporaries(path.parent, file.name)
                seed = derive_seed(self._source.seed, split.name)
                write_storybook(path, num_stories=split.num_stories, seed=seed, on_progress=on_progress)
            self._log(f"made {path}: {split.num_stories:,} stories")
        entropy = _entropy_of([InputFile(str(path))])
        if entropy is None or entropy.num_documents != split.num_stories:
            found = "of unknown entropy" if entropy is None else f"of {entropy.num_documents:,} stories"
            raise DataError(
                f"{path}: a storybook {found}, but source.num_{split.name}_stories = {split.num_stories:,}; "
                "delete it to generate it again, or name another file"
            )


def _has_text(split: _Split) -> bool:
    try:
        expand_inputs(split.text)
    except MissingFileError:
        return False
    return True


def _entropy_of(files: list[InputFile]) -> CorpusEntropy | None:
    """The exact bits of a text in one file, where a file next to it has them."""
    path = files[0].path
    if len(files) > 1 or path is None or not entropy_path(path).exists():
        return None
    return read_json_record(entropy_path(path), CorpusEntropy)
