"""Training: count pre-tokens, then merge the most frequent pair again and again; the Rust core does both.

The result is a function of the text, the special tokens and the pattern alone: not of thread or chunk counts.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path

from homespun import _native
from homespun.config import check_choice
from homespun.corpus.inputs import Inputs
from homespun.errors import ConfigError, DataError
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import TIES, Ties, check_special_tokens, check_vocab_size, resolve_num_threads
from homespun.tokenizer.count import count_pretokens
from homespun.tokenizer.counting import CHUNK_BYTES
from homespun.tokenizer.journal import Journal, JournalOrigin, fingerprint_of_counts
from homespun.tokenizer.memory import check_memory_for_merging
from homespun.tokenizer.patterns import resolve_pattern
from homespun.tokenizer.storage.printable import from_printable
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.vocabulary import build_vocab, check_can_be_extended, grow_vocab

JOURNAL_SECONDS = 1.0
"""Between two writes of a journal: what an interruption can cost."""


def train_bpe(
    input_path: Inputs,
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    text_key: str = "text",
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    journal: str | os.PathLike[str] | None = None,
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_memory_bytes: int | None = None,
    spill_dir: str | os.PathLike[str] | None = None,
    counts_path: str | os.PathLike[str] | None = None,
    cluster: str | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges of a corpus: a UTF-8 text file, or any number of files.

    The vocabulary holds the special tokens in the order given (ids from 0), the 256 bytes, then the merged tokens: at
    most `vocab_size` in all, fewer where no pair is left to merge. Special tokens are cut from the text before
    counting.

    Args:
        input_path: A path, URL or pattern, or several (see `homespun.corpus.expand_inputs`), of .txt and .jsonl files,
            also .gz or .zst, and of .parquet files; read in pieces, so that they may be larger than memory. In the
            documents of .jsonl lines and .parquet rows special tokens are ordinary text.
        vocab_size: At least 256 plus the number of special tokens.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4", "o200k" or a regular expression.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        ties: Which of equally frequent pairs is merged: "bytes" for the greater pair of byte strings; "ids" for the
            smaller pair of ids, numbered as Hugging Face's trainer does, whose merges these are (of a text from which
            special tokens have been cut).
        extend: A tokenizer whose tokens keep their ids, with the same special tokens and pattern; merging goes on after
            its last merge. If it came from the same text by the same rule for ties, the result is that of training at
            once.
        journal: A file in which the merges are recorded as they are made, about once a second. Where it exists, merging
            goes on from it: to finish what was interrupted, or to a larger vocabulary. The result is the same.
        num_threads: None for one thread a core. On a cluster a task that counts has one.
        chunk_bytes: Bytes a thread reads at a time.
        max_memory_bytes: What the process may take, and on a cluster each task: counts that are too many for it are put
            aside on disk, and merging that may not fit is not begun. None for as much as it takes.
        spill_dir: Where they are put; the system's place for temporary files unless given.
        counts_path: A file in which the counts are kept, as by `count_corpus`: the same call goes on from what is
            counted, and finds them if they are there. None for memory alone.
        cluster: The address of a Ray cluster to count on (see `homespun.cluster.run_tasks`); it needs a `counts_path`
            that all its machines see. None for here, where merging is done in any case.
        on_progress: Called with bytes while counting, then with tokens while merging.

    Raises:
        MissingFileError: `input_path` does not exist, or nothing matches a pattern.
        DataError: it is a directory, empty, or not UTF-8 (with the byte offset); or journal or counts are of another
            training.
        ConfigError: an argument cannot work, a malformed regular expression included, or the memory is too little, with
            the bytes that are enough.
        DownloadError: an input lies behind a URL that cannot be read.
        MissingPackageError: an input or the cluster needs a package that is not installed.
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        BusyError: another process is counting into `counts_path`.
        StorageError: the journal, the counts, or what is put aside, cannot be written.
    """
    check_vocab_size("vocab_size", vocab_size, len(special_tokens))
    if extend is not None:
        check_can_be_extended(extend, vocab_size, special_tokens)
        if extend.pattern != resolve_pattern(pattern):
            raise ConfigError(f"pattern = {pattern!r} is not that of the tokenizer to extend, {extend.pattern!r}")
    counts = count_pretokens(
        input_path,
        special_tokens,
        pattern=pattern,
        text_key=text_key,
        num_threads=num_threads,
        chunk_bytes=chunk_bytes,
        max_memory_bytes=max_memory_bytes,
        spill_dir=spill_dir,
        counts_path=counts_path,
        cluster=cluster,
        on_progress=on_progress,
    )
    return merge_counts(
        counts,
        vocab_size,
        special_tokens,
        ties=ties,
        extend=extend,
        journal=journal,
        num_threads=num_threads,
        max_memory_bytes=max_memory_bytes,
        on_progress=on_progress,
    )


def train_bpe_from_counts(
    counts: Mapping[bytes, int],
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    journal: str | os.PathLike[str] | None = None,
    num_threads: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges as `train_bpe` returns them, from how often each pre-token occurs.

    Args:
        counts: How often each pre-token occurs, which may be 0.
        vocab_size: At least 256 plus the number of special tokens.
        special_tokens: Strings, none empty, none twice; the counts are expected to be without them.
        ties: As for `train_bpe`; so are `extend` and `journal`.
        extend: A tokenizer whose tokens keep their ids.
        journal: A file in which the merges are recorded.
        num_threads: None for one thread a core.
        on_progress: Called with tokens.

    Raises:
        DataError: a count is negative, or they do not add up in 64 bits; or the journal is of another training.
        ConfigError: an argument cannot work.
        StorageError: the journal cannot be written.
    """
    for pretoken, count in counts.items():
        if not 0 <= count < 2**63:
            raise DataError(f"counts[{pretoken!r}] = {count}: a count is at least 0 and below 2**63; count again")
    native_counts = _native.PretokenCounts(
        (pretoken, count) for pretoken, count in counts.items() if count and pretoken
    )
    return merge_counts(
        native_counts,
        vocab_size,
        special_tokens,
        ties=ties,
        extend=extend,
        journal=journal,
        num_threads=num_threads,
        on_progress=on_progress,
    )


def merge_counts(
    counts: _native.PretokenCounts,
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    ties: Ties = "bytes",
    extend: Tokenizer | None = None,
    journal: str | os.PathLike[str] | None = None,
    num_threads: int | None = None,
    max_memory_bytes: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges of counted pre-tokens: the second half of `train_bpe`, with its arguments and errors."""
    check_special_tokens("special_tokens", special_tokens)
    check_vocab_size("vocab_size", vocab_size, len(special_tokens))
    check_choice("ties", ties, TIES)
    if extend is not None:
        check_can_be_extended(extend, vocab_size, special_tokens)
    vocab = build_vocab(special_tokens, []) if extend is None else extend.vocab
    merges = [] if extend is None else extend.merges
    num_merges = vocab_size - max(vocab) - 1
    num_threads = resolve_num_threads(num_threads)
    goes_on = extend is not None or journal is not None
    merging_bytes = merge_memory_bytes(counts, vocab_size, goes_on=goes_on, num_threads=num_threads)
    check_memory_for_merging(max_memory_bytes, counts, merging_bytes, vocab_size)
    with ExitStack() as stack:
        record = None
        if journal is not None:
            origin = JournalOrigin(
                counts_sha256=fingerprint_of_counts(counts),
                special_tokens=list(special_tokens),
                ties=ties,
                extends=extend.fingerprint if extend is not None else None,
            )
            record = stack.enter_context(Journal(Path(journal), origin))
            merges += record.merges[:num_merges]
            num_merges -= len(record.merges[:num_merges])
        # Hugging Face's trainer gives a token that is spelled like a special one the special one's id.
        spelled = [token for name in special_tokens if (token := from_printable(name)) is not None]
        trainer = _native.MergeTrainer(counts, merges, ties, spelled, num_threads)
        num_tokens = trainer.num_tokens + num_merges
        while made := trainer.merge(num_tokens, JOURNAL_SECONDS if record else inf, on_progress):
            merges += made
            if record is not None:
                record.append(made)
    special_ids = extend.special_tokens.values() if extend is not None else range(len(special_tokens))
    return grow_vocab(vocab, special_ids, merges), merges


def merge_memory_bytes(
    counts: _native.PretokenCounts, vocab_size: int, *, goes_on: bool = False, num_threads: int | None = None
) -> int:
    """The most memory that `merge_counts` takes, in bytes, known before it starts.

    Beside it stand the counts themselves, and the tokens that come of it: usually little, but with a word as long as
    the text they may be longer than the text.

    Args:
        counts: Those to be merged.
        vocab_size: The most tokens that there will be.
        goes_on: Whether merges are known already, from a journal or a tokenizer to extend.
        num_threads: None for one thread a core.

    Raises:
        ConfigError: `num_threads` is less than 1.
    """
    return _native.merge_memory_bytes(counts, vocab_size, resolve_num_threads(num_threads), goes_on)
