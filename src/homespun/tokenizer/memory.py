"""Who may use how much of a memory budget: the interpreter, counting, merging.

The interpreter's part is what Python takes before the work begins, rounded up. It holds for the commands; a program
that has imported more adds that.
"""

from homespun import _native
from homespun.errors import ConfigError

PYTHON_TO_COUNT_BYTES = 28 << 20
"""Of Python that counts; pyarrow, for parquet, and what opens URLs come on top."""

PYTHON_TO_TRAIN_BYTES = 40 << 20
"""Of Python that trains, with NumPy."""

_PYTHON_TOKEN_BYTES = 500
"""Of a token in Python: itself, its parts, and where they are found."""

_LEAST_COUNTING_BYTES = 8 << 20


def memory_for_counting(max_memory_bytes: int | None, python_bytes: int) -> int | None:
    """What a budget leaves for counting; None where there is none.

    Raises:
        ConfigError: it leaves nothing worth the name.
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
    """Refuse to merge what may not fit, before it is begun.

    Args:
        max_memory_bytes: The budget; None for as much as it takes.
        counts: What will be merged.
        merging_bytes: What that takes at most, beside the counts.
        vocab_size: The most tokens that there will be.

    Raises:
        ConfigError: it may need more; with the bytes that are enough.
    """
    needed = PYTHON_TO_TRAIN_BYTES + counts.memory_bytes + merging_bytes + _PYTHON_TOKEN_BYTES * vocab_size
    if max_memory_bytes is not None and needed > max_memory_bytes:
        raise ConfigError(
            f"max_memory = {max_memory_bytes:,} bytes is too little: merging {len(counts):,} distinct pre-tokens may "
            f"take {needed:,}; allow that, ask for fewer tokens, or count less text"
        )
