"""A corpus, or a shard of it, to a file of counts, taken up again where it was interrupted."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from homespun.config import check_at_least
from homespun.corpus.inputs import Inputs, expand_inputs
from homespun.corpus.source import read_source
from homespun.errors import ConfigError
from homespun.locks import hold_until_made
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens, resolve_num_threads
from homespun.tokenizer.count_job import CountJob
from homespun.tokenizer.count_on_cluster import count_on_cluster
from homespun.tokenizer.counting import CHUNK_BYTES, SEGMENT_BYTES
from homespun.tokenizer.counts_file import CountsSums
from homespun.tokenizer.memory import PYTHON_TO_COUNT_BYTES, memory_for_counting
from homespun.tokenizer.parts import WHOLE, Shard
from homespun.tokenizer.patterns import resolve_pattern


def count_corpus(
    inputs: Inputs,
    out: str | PathLike[str],
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    text_key: str = "text",
    shard: Shard = WHOLE,
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_memory_bytes: int | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    cluster: str | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> CountsSums:
    """Count the pre-tokens of a corpus, or of one shard of it, into the file `out`.

    The bytes written depend on the text, the special tokens, the pattern and the shard alone, not on threads, memory,
    or how often the work was interrupted: about every `segment_bytes` what was counted is put into the directory
    `OUT.partial`, and the same call goes on from there. A file that is finished is left as it is. The counts of all
    shards add up to those of the whole.

    Args:
        inputs: Paths, URLs and patterns (see `homespun.corpus.expand_inputs`) of .txt and .jsonl files, also .gz or
            .zst, and of .parquet files. Special tokens are cut from text; in the documents of .jsonl lines and .parquet
            rows they are ordinary.
        out: The file to write.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4", "o200k" or a regular expression.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        shard: Which part to count.
        num_threads: How many count; None for one a core, or on a cluster for one a task.
        chunk_bytes: Bytes a thread reads at a time.
        max_memory_bytes: What the process may take, or on a cluster that of each task (pyarrow, and what opens URLs,
            come on top); None for as much as the distinct pre-tokens need.
        segment_bytes: Bytes of text between two places at which the work can be taken up again; a task's, on a cluster.
        cluster: The address of a Ray cluster to count on (see `homespun.cluster.run_tasks`); None for here.
        on_progress: Told bytes of the input files done, of those in all.

    Raises:
        ConfigError: an argument cannot work.
        MissingFileError: an input does not exist, or nothing matches a pattern.
        DataError: an input is damaged or not UTF-8, or `out` or its `.partial` was made from something else.
        DownloadError: an input lies behind a URL that cannot be read.
        MissingPackageError: an input or the cluster needs a package that is not installed.
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        BusyError: another process is counting into `out`.
        StorageError: the disk is full; what was put aside is kept.
    """
    check_special_tokens("special_tokens", special_tokens)
    check_at_least("chunk_bytes", chunk_bytes, 1)
    check_at_least("segment_bytes", segment_bytes, 1)
    memory_for_counting(max_memory_bytes, PYTHON_TO_COUNT_BYTES)
    if cluster is not None and shard != WHOLE:
        raise ConfigError(
            "a shard is counted by one machine: give a shard or a cluster, which divides the whole itself"
        )
    files = expand_inputs(inputs)
    if cluster is not None:
        files = [file.absolute() for file in files]
    job = CountJob(
        files=files,
        source=read_source(files),
        special_tokens=[*special_tokens],
        regex=resolve_pattern(pattern),
        text_key=text_key,
        num_threads=1 if cluster is not None and num_threads is None else resolve_num_threads(num_threads),
        chunk_bytes=chunk_bytes,
        max_memory_bytes=max_memory_bytes,
        segment_bytes=segment_bytes,
    )
    path = Path(out)
    with hold_until_made(path, job.partial(path, shard).directory):
        if cluster is None:
            return job.count(path, shard, on_progress)
        return count_on_cluster(job, path.absolute(), cluster, on_progress)
