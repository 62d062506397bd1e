"""Measurements of the processor: which exist, and that they are rates. How high they are is not asserted."""

import math
import mmap
import platform
from pathlib import Path

import pytest

from homespun import _native

CPUINFO = Path("/proc/cpuinfo")


def processor_flags() -> set[str]:
    """The flags that Linux lists for an x86 processor."""
    line = next(line for line in CPUINFO.read_text(encoding="utf-8").splitlines() if line.startswith("flags"))
    return set(line.partition(":")[2].split())


def test_levels_are_in_use_or_known():
    assert _native.instruction_levels()[0] == "portable"
    assert _native.instruction_level() in _native.instruction_levels()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="Linux lists the flags of x86 processors"
)
def test_levels_are_those_of_the_processor():
    """Oracle: the kernel's list of flags."""
    flags = processor_flags()
    avx2 = {"avx2", "fma"} <= flags
    avx512 = avx2 and "avx512f" in flags
    bfloat16 = avx512 and {"avx512_bf16", "avx512bw"} <= flags
    expected = {"portable": True, "avx2": avx2, "avx512": avx512, "avx512bf16": bfloat16}
    assert _native.instruction_levels() == [level for level, has in expected.items() if has]
    assert (_native.measure_bfloat16_dots(1) is not None) == bfloat16


@pytest.mark.parametrize("num_threads", [1, 2])
def test_rates_are_positive(num_threads):
    rates = [_native.measure_multiply_adds(level, num_threads) for level in _native.instruction_levels()]
    rates += _native.measure_memory(1 << 20, num_threads)
    rates.append(_native.measure_fresh_page(mmap.PAGESIZE))
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match=r"level = \"sse9\".*portable"):
        _native.measure_multiply_adds("sse9", 1)
    with pytest.raises(ValueError, match="page_bytes = 0"):
        _native.measure_fresh_page(0)
