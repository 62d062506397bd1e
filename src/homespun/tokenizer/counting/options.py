"""How a corpus is read and counted, and how its memory budget is divided."""

from dataclasses import dataclass
from os import PathLike

from homespun import _native
from homespun.config import check_at_least
from homespun.errors import ConfigError

PYTHON_TO_COUNT_BYTES = 28 << 20
"""Memory of the interpreter that runs `homespun tokenizer count`, rounded up; a larger program adds to it."""

PYTHON_TO_TRAIN_BYTES = 40 << 20
"""The same for training, which imports NumPy."""

_PYTHON_TOKEN_BYTES = 500
"""Of one token in Python: its bytes, those of its two parents, and their entries in lists and dictionaries."""

_LEAST_COUNTING_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class CountOptions:
    """How a corpus is read and counted; of all this only `text_key` changes the counts.

    Raises:
        ConfigError: a number is too small.
    """

    text_key: str = "text"
    """The key of the text in a .jsonl line, or its column in a .parquet file."""

    num_threads: int | None = None
    """Threads that count and merge; None: one per core, or one per task on a cluster."""

    chunk_bytes: int = 1 << 18
    """Bytes that a thread reads at a time: enough to amortize the reading, small enough for the processor's cache."""

    max_memory_bytes: int | None = None
    """Memory limit of the process, and on a cluster of each task; None: no limit. Counts that exceed it spill to disk;
    JSON lines longer than a 16th of it are refused, and merging is if its worst case would not fit. pyarrow and what
    opens URLs come on top."""

    spill_dir: str | PathLike[str] | None = None
    """Where counts spill to that are not kept in a file; None: the system's directory for temporary files."""

    counts_path: str | PathLike[str] | None = None
    """A file to keep the counts in: a call that finds them there does not count again. None: not kept."""

    range_bytes: int = 1 << 30
    """Input bytes counted between two writes to disk when counts are kept in a file: the work that an interruption can
    cost, and the size of a task on a cluster."""

    cluster: str | None = None
    """Address of a Ray cluster to count on (see `homespun.cluster.run_tasks`); it needs a `counts_path` that all its
    machines see. None: count here, where pairs are merged in any case."""

    def __post_init__(self) -> None:
        check_at_least("chunk_bytes", self.chunk_bytes, 1)
        check_at_least("range_bytes", self.range_bytes, 1)
        if self.num_threads is not None:
            check_at_least("num_threads", self.num_threads, 1)


DEFAULT_OPTIONS = CountOptions()


def memory_for_counting(max_memory_bytes: int | None, python_bytes: int) -> int | None:
    """Return what a memory limit leaves for counting; None: no limit.

    Raises:
        ConfigError: the limit is below the least that counting works in.
    """
    if max_memory_bytes is None:
        return None
    least = python_bytes + _LEAST_COUNTING_BYTES
    if max_memory_bytes < least:
        raise ConfigError(
            f"max_memory = {max_memory_bytes:,} bytes is too little: Python alone takes about {python_bytes:,}; "
            f"allow at least {least:,}"
        )
    return max_memory_bytes - python_bytes


def check_memory_for_merging(
    max_memory_bytes: int | None, counts: _native.PretokenCounts, merging_bytes: int, vocab_size: int
) -> None:
    """Refuse to merge what may not fit into the limit, before it is begun.

    Args:
        max_memory_bytes: The limit; None: no limit.
        counts: The counts to merge.
        merging_bytes: The most that merging takes, in addition to the counts.
        vocab_size: The largest vocabulary that merging can make.

    Raises:
        ConfigError: merging may need more; the message gives the bytes that are enough.
    """
    needed = PYTHON_TO_TRAIN_BYTES + counts.memory_bytes + merging_bytes + _PYTHON_TOKEN_BYTES * vocab_size
    if max_memory_bytes is not None and needed > max_memory_bytes:
        raise ConfigError(
            f"max_memory = {max_memory_bytes:,} bytes is too little: merging {len(counts):,} distinct pre-tokens may "
            f"take {needed:,}; allow that, ask for fewer tokens, or count less text"
        )
