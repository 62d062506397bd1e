"""Training: count pre-tokens, then merge the most frequent pair again and again; the Rust core does both.

The result is a function of the text, the special tokens, the pattern and the rule for ties: not of threads or chunks.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from homespun import _native
from homespun.config import check_choice
from homespun.corpus.inputs import InputFile, Inputs, expand_inputs
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import Ties, check_special_tokens, check_vocab_size, resolve_num_threads
from homespun.tokenizer.counting.counter import CountJob
from homespun.tokenizer.counting.job import count_pretokens
from homespun.tokenizer.counting.options import DEFAULT_OPTIONS, PYTHON_TO_TRAIN_BYTES, CountOptions
from homespun.tokenizer.patterns import resolve_pattern
from homespun.tokenizer.storage.printable import from_printable
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.vocabulary import check_can_be_extended, grow_vocab, initial_vocab

_BATCH_CHARACTERS = 1 << 20

_PYTHON_TOKEN_BYTES = 500
"""Memory of one token in Python: its bytes, those of its two parents, their entries in lists and dictionaries."""

Trained = tuple[dict[int, bytes], list[tuple[bytes, bytes]]]
"""A vocabulary and its merges."""


def train_bpe(
    input_path: Inputs,
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> Trained:
    """Return the vocabulary and the merges of a byte-level BPE tokenizer trained on files.

    Special tokens get the first ids in the order given, then come the 256 bytes, then the merged tokens. Training stops
    early if no pair is left to merge. Special tokens are removed from text before counting; in the documents of .jsonl
    lines and .parquet rows they are ordinary text.

    Args:
        input_path: A path, URL or pattern, or several (see `homespun.corpus.expand_inputs`), of .txt and .jsonl files,
            also .gz or .zst, and of .parquet files; they may be larger than memory.
        vocab_size: At least 256 plus the number of special tokens.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4", "o200k" or a regular expression.
        ties: Which of equally frequent pairs is merged: "bytes" for the greater pair of byte strings; "ids" for the
            smaller pair of ids, numbered as in Hugging Face's trainer, which makes the same merges (from a text
            without special tokens).
        extend: A tokenizer whose tokens keep their ids, with the same special tokens and pattern; merging resumes after
            its last merge. If it was trained on the same text by the same rule for ties, the result is that of training
            once.
        options: How the files are read and counted: threads, memory, a file for the counts, a cluster.
        on_progress: Called with bytes while counting, then with tokens while merging.

    Raises:
        ConfigError: an argument is invalid, or the memory limit is too low (the message gives the bytes needed).
        MissingFileError: an input does not exist.
        DataError: an input is empty or not UTF-8 (the message gives the byte offset).
    """
    _check_arguments(vocab_size, special_tokens, ties, extend, pattern)
    try:
        files = expand_inputs(input_path)
    except MissingFileError as error:
        raise MissingFileError(f"{error}; strings themselves are trained on by train_bpe_from_iterator") from error
    counts = count_pretokens(files, special_tokens, pattern=pattern, options=options, on_progress=on_progress)
    return merge_counts(
        counts, vocab_size, special_tokens, ties=ties, extend=extend, options=options, on_progress=on_progress
    )


def train_bpe_from_iterator(
    texts: Iterable[str],
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> Trained:
    """Return the vocabulary and the merges of a byte-level BPE tokenizer trained on strings.

    Each of `texts`, such as a document or a line, is split on its own, and special tokens are removed from it, as from
    a text file. The texts are read once and not kept in memory; generators are fine. The other arguments are those of
    `train_bpe`; options for files are ignored, and progress is that of merging.

    Raises:
        ConfigError: an argument is invalid.
        DataError: the texts are empty, or there are none.
    """
    _check_arguments(vocab_size, special_tokens, ties, extend, pattern)
    if isinstance(texts, str):
        raise ConfigError(f"texts = {texts!r:.60} is one string; expected several, such as [{texts!r:.60}]")
    job = CountJob([*special_tokens], resolve_pattern(pattern), options, PYTHON_TO_TRAIN_BYTES)
    counter = job.count_texts(_batches(texts, special_tokens))
    return merge_counts(
        counter.finish(), vocab_size, special_tokens, ties=ties, extend=extend, options=options, on_progress=on_progress
    )


def _batches(texts: Iterable[str], special_tokens: Sequence[str]) -> Iterator[list[str]]:
    """Yield the text between the special tokens of `texts`, some megabytes at a time."""
    # The longest first: where two begin at one place, the longer is the special token, as in encoding.
    longest_first = sorted(special_tokens, key=len, reverse=True)
    cut = re.compile("|".join(map(re.escape, longest_first))) if special_tokens else None
    batch: list[str] = []
    num_characters, is_empty = 0, True
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ConfigError(f"texts[{index}] = {text!r:.60} is not a string; expected an iterable of strings")
        batch += [text] if cut is None else cut.split(text)
        num_characters += len(text)
        is_empty = is_empty and not text
        if num_characters >= _BATCH_CHARACTERS:
            yield batch
            batch, num_characters = [], 0
    if is_empty:
        raise DataError("texts: there is no text in them; give at least one character")
    yield batch


def train_bpe_from_counts(
    counts: Mapping[bytes, int],
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> Trained:
    """Return vocabulary and merges as `train_bpe` does, from how often each pre-token occurs, which may be 0.

    The counts are expected to be without the special tokens. The other arguments are those of `train_bpe`; options for
    files are ignored, and progress is that of merging.

    Raises:
        DataError: a count is negative, or they do not add up in 64 bits.
        ConfigError: an argument is invalid.
    """
    _check_arguments(vocab_size, special_tokens, ties, extend)
    for pretoken, count in counts.items():
        if not 0 <= count < 2**63:
            raise DataError(f"counts[{pretoken!r}] = {count}: a count is at least 0 and below 2**63; count again")
    native_counts = _native.PretokenCounts(
        (pretoken, count) for pretoken, count in counts.items() if count and pretoken
    )
    return merge_counts(
        native_counts, vocab_size, special_tokens, ties=ties, extend=extend, options=options, on_progress=on_progress
    )


def merge_counts(
    counts: _native.PretokenCounts,
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> Trained:
    """Merge counted pre-tokens: the second half of `train_bpe`, which has checked the arguments.

    Raises:
        ConfigError: merging may need more memory than `options` allow; the message gives the bytes that are enough.
    """
    vocab = initial_vocab(special_tokens) if extend is None else extend.vocab
    merges = [] if extend is None else extend.merges
    num_threads = resolve_num_threads(options.num_threads)
    merging_bytes = _native.merge_memory_bytes(counts, vocab_size, num_threads, extend is not None)
    needed = PYTHON_TO_TRAIN_BYTES + counts.memory_bytes + merging_bytes + _PYTHON_TOKEN_BYTES * vocab_size
    if options.max_memory_bytes is not None and needed > options.max_memory_bytes:
        raise ConfigError(
            f"max_memory = {options.max_memory_bytes:,} bytes is too little: merging {len(counts):,} distinct "
            f"pre-tokens may take {needed:,}; allow that, ask for fewer tokens, or count less text"
        )
    # Hugging Face's trainer gives a token with the name of a special one the special one's id.
    namesakes = [token for name in special_tokens if (token := from_printable(name)) is not None]
    trainer = _native.MergeTrainer(counts, merges, ties, namesakes, num_threads)
    merges += trainer.merge(trainer.num_tokens + vocab_size - max(vocab) - 1, on_progress)
    special_ids = range(len(special_tokens)) if extend is None else extend.special_tokens.values()
    return grow_vocab(vocab, special_ids, merges), merges


def check_special_tokens_stay_apart(special_tokens: Sequence[str], pattern: str, files: Sequence[InputFile]) -> None:
    """Refuse special tokens that training on `files` might also make an ordinary token of: no file can represent both.

    In the documents of JSON lines and parquet special tokens are ordinary text; so "PAD" may be merged there, but not
    <|endoftext|>, which the pattern splits. From plain text a special token is removed, but not what it names in the
    printable alphabet of GPT-2's files: the special token "\u0120the" would be saved as the token " the" is.

    Raises:
        ConfigError: naming the special token.
    """
    has_documents = any(file.kind != "text" for file in files)
    for name in special_tokens:
        token = from_printable(name)
        if token is None or (token == name.encode() and not has_documents):
            continue
        text = token.decode(errors="replace")
        if _native.split(text, resolve_pattern(pattern)) == [text]:
            raise ConfigError(
                f"special token {name!r} may also become an ordinary token of this text, and a tokenizer file "
                f"cannot represent both; choose one that the pattern splits, such as <|{name}|>"
            )


def _check_arguments(
    vocab_size: int, special_tokens: Sequence[str], ties: Ties, extend: Tokenizer | None, pattern: str | None = None
) -> None:
    """Check the arguments before any text is read."""
    check_special_tokens("special_tokens", special_tokens)
    check_vocab_size("vocab_size", vocab_size, len(special_tokens))
    check_choice("ties", ties, get_args(Ties))
    if extend is not None:
        check_can_be_extended(extend, vocab_size, special_tokens)
        if pattern is not None and extend.pattern != resolve_pattern(pattern):
            raise ConfigError(f"pattern = {pattern!r} is not that of the tokenizer to extend, {extend.pattern!r}")
