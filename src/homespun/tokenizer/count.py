"""Counting: how often each pre-token occurs, the first half of training."""

import os
from collections.abc import Sequence
from pathlib import Path

from homespun import _native
from homespun.config import check_at_least
from homespun.files import check_is_file
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens, resolve_num_threads
from homespun.tokenizer.patterns import resolve_pattern

CHUNK_BYTES = 4 * 2**20
"""Text that a thread reads at a time: enough to hide the reading, little enough to bound memory."""


def count_pretokens(
    input_path: str | os.PathLike[str],
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    on_progress: ProgressCallback = ignore_progress,
) -> _native.PretokenCounts:
    """How often each pre-token occurs in a file: the first half of `train_bpe`, with its arguments and errors."""
    path = Path(input_path)
    check_special_tokens("special_tokens", special_tokens)
    check_at_least("chunk_bytes", chunk_bytes, 1)
    check_is_file(path, "a text to train on", "name a UTF-8 text file")
    return _native.count_pretokens(
        path,
        list(special_tokens),
        resolve_pattern(pattern),
        resolve_num_threads(num_threads),
        chunk_bytes,
        on_progress,
    )
