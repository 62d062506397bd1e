import resource
import sys

import pytest

from homespun.training.memory import peak_memory_bytes


def test_the_peak_includes_what_was_freed():
    """Oracle: 300 MB, written to and freed, on top of what the process held before."""
    before = peak_memory_bytes("cpu")
    block = bytearray(b"x") * (before + 300_000_000)
    del block
    assert peak_memory_bytes("cpu") >= before + 300_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="no module resource")
def test_the_peak_is_the_systems():
    """Oracle: getrusage, which may be larger by what the parent process held. 10%: the kernel counts in batches."""
    unit = 1 if sys.platform == "darwin" else 1024
    assert 0 < peak_memory_bytes("cpu") < resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit * 1.1
