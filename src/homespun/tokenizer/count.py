"""Counting: how often each pre-token occurs, the first half of training."""

import tempfile
from collections.abc import Sequence
from os import PathLike

from homespun import _native
from homespun.config import check_at_least
from homespun.corpus.inputs import Inputs, expand_inputs
from homespun.corpus.source import read_source
from homespun.errors import ConfigError
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens, resolve_num_threads
from homespun.tokenizer.count_corpus import count_corpus
from homespun.tokenizer.counting import CHUNK_BYTES, Counting
from homespun.tokenizer.counts_file import read_counts
from homespun.tokenizer.memory import PYTHON_TO_TRAIN_BYTES, memory_for_counting
from homespun.tokenizer.parts import WHOLE, plan_parts
from homespun.tokenizer.patterns import resolve_pattern


def count_pretokens(
    inputs: Inputs,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    text_key: str = "text",
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_memory_bytes: int | None = None,
    spill_dir: str | PathLike[str] | None = None,
    counts_path: str | PathLike[str] | None = None,
    cluster: str | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> _native.PretokenCounts:
    """How often each pre-token occurs in a corpus: the first half of `train_bpe`, with its arguments and errors."""
    memory_bytes = memory_for_counting(max_memory_bytes, PYTHON_TO_TRAIN_BYTES)
    if counts_path is not None:
        count_corpus(
            inputs,
            counts_path,
            special_tokens,
            pattern=pattern,
            text_key=text_key,
            num_threads=num_threads if cluster is None else 1,
            chunk_bytes=chunk_bytes,
            max_memory_bytes=max_memory_bytes,
            cluster=cluster,
            on_progress=on_progress,
        )
        return read_counts(counts_path, max_memory_bytes=memory_bytes, spill_dir=spill_dir).pretokens
    if cluster is not None:
        raise ConfigError(
            f"cluster = {cluster!r} needs counts_path: a file for the counts, where all machines of the cluster see it"
        )
    check_special_tokens("special_tokens", special_tokens)
    check_at_least("chunk_bytes", chunk_bytes, 1)
    regex = resolve_pattern(pattern)
    threads = resolve_num_threads(num_threads)
    files = expand_inputs(inputs)
    source = read_source(files)
    counter = _native.Counter(
        special_tokens,
        regex,
        threads,
        chunk_bytes,
        memory_bytes,
        tempfile.gettempdir() if spill_dir is None else spill_dir,
        None,
    )
    counting = Counting(counter, plan_parts(files, source, WHOLE, special_tokens, regex), text_key, on_progress)
    for _ in counting.run():
        pass
    return counter.finish()
