"""Training: count pre-tokens, then merge the most frequent pair again and again; the Rust core does both.

The result is a function of the text, the special tokens and the pattern alone: not of thread or chunk counts.
"""

import os
from collections.abc import Mapping, Sequence

from homespun import _native
from homespun.errors import DataError
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import NUM_BYTES, check_special_tokens, check_vocab_size, resolve_num_threads
from homespun.tokenizer.count import CHUNK_BYTES, count_pretokens


def train_bpe(
    input_path: str | os.PathLike[str],
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges of a UTF-8 text file.

    The vocabulary holds the special tokens in the order given (ids from 0), the 256 bytes, then the merged tokens: at
    most `vocab_size` in all, fewer where no pair is left to merge. Of pairs that are equally frequent the greater pair
    of byte strings is merged. Special tokens are cut from the text before counting.

    Args:
        input_path: Read in pieces; it may be larger than memory.
        vocab_size: At least 256 plus the number of special tokens.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4" or a regular expression.
        num_threads: None for one thread a core.
        chunk_bytes: Bytes a thread reads at a time.
        on_progress: Called with bytes while counting, then with tokens while merging.

    Raises:
        MissingFileError: `input_path` does not exist.
        DataError: it is a directory, empty, or not UTF-8 (with the byte offset).
        ConfigError: an argument cannot work, a malformed regular expression included.
    """
    check_vocab_size("vocab_size", vocab_size, len(special_tokens))
    counts = count_pretokens(
        input_path,
        special_tokens,
        pattern=pattern,
        num_threads=num_threads,
        chunk_bytes=chunk_bytes,
        on_progress=on_progress,
    )
    return merge_counts(counts, vocab_size, special_tokens, num_threads=num_threads, on_progress=on_progress)


def train_bpe_from_counts(
    counts: Mapping[bytes, int],
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    num_threads: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges as `train_bpe` returns them, from how often each pre-token occurs.

    Args:
        counts: How often each pre-token occurs, which may be 0.
        vocab_size: At least 256 plus the number of special tokens.
        special_tokens: Strings, none empty, none twice; the counts are expected to be without them.
        num_threads: None for one thread a core.
        on_progress: Called with tokens.

    Raises:
        DataError: a count is negative, or they do not add up in 64 bits.
        ConfigError: an argument cannot work.
    """
    for pretoken, count in counts.items():
        if not 0 <= count < 2**63:
            raise DataError(f"counts[{pretoken!r}] = {count}: a count is at least 0 and below 2**63; count again")
    native_counts = _native.PretokenCounts(
        (pretoken, count) for pretoken, count in counts.items() if count and pretoken
    )
    return merge_counts(native_counts, vocab_size, special_tokens, num_threads=num_threads, on_progress=on_progress)


def merge_counts(
    counts: _native.PretokenCounts,
    vocab_size: int,
    special_tokens: Sequence[str],
    *,
    num_threads: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary and merges of counted pre-tokens: the second half of `train_bpe`."""
    check_special_tokens("special_tokens", special_tokens)
    check_vocab_size("vocab_size", vocab_size, len(special_tokens))
    num_tokens = vocab_size - NUM_BYTES - len(special_tokens)
    merges = _native.train_merges(counts, num_tokens, resolve_num_threads(num_threads), on_progress)
    return build_vocab(special_tokens, merges), merges


def build_vocab(special_tokens: Sequence[str], merges: Sequence[tuple[bytes, bytes]]) -> dict[int, bytes]:
    """The vocabulary in its order: special tokens, the 256 bytes, merged tokens, each where a merge first makes it."""
    merged = dict.fromkeys(left + right for left, right in merges)
    tokens = [*(name.encode() for name in special_tokens), *(bytes([byte]) for byte in range(NUM_BYTES)), *merged]
    return dict(enumerate(tokens))
