"""How a corpus is read and counted, and what a memory limit leaves for it."""

from dataclasses import dataclass
from os import PathLike

from homespun.config import check_at_least
from homespun.errors import ConfigError

PYTHON_TO_COUNT_BYTES = 28 << 20
"""Memory of the interpreter that runs `homespun tokenizer count`, rounded up; a larger program adds to it."""

PYTHON_TO_TRAIN_BYTES = 40 << 20
"""The same for training, which imports NumPy."""

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
    JSON lines and parquet pages larger than a 16th of it are refused, and merging is if its worst case would not fit.
    pyarrow and what opens URLs come on top."""

    spill_dir: str | PathLike[str] | None = None
    """Where counts spill to; None: next to the file in which they are kept, or else the system's directory for
    temporary files."""

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

    def memory_besides(self, python_bytes: int) -> int | None:
        """Return what the memory limit leaves for counts; None: no limit.

        Raises:
            ConfigError: the limit is below the least that counting needs.
        """
        if self.max_memory_bytes is None:
            return None
        least = python_bytes + _LEAST_COUNTING_BYTES
        if self.max_memory_bytes < least:
            raise ConfigError(
                f"max_memory = {self.max_memory_bytes:,} bytes is too little: Python alone takes about "
                f"{python_bytes:,}; allow at least {least:,}"
            )
        return self.max_memory_bytes - python_bytes


DEFAULT_OPTIONS = CountOptions()
