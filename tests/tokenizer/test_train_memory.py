"""The stated bound of merging's memory, in processes of their own."""

import subprocess
import sys

import pytest

SCRIPT = """
import random, sys
from pathlib import Path
from homespun import _native

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

draw = random.Random(0)
words = {
    "a letter": [b"a" * 5_000_000],
    "letters": [bytes(draw.choices(b"abcdefghijklmnopqrstuvwxyz", k=5_000_000))],
    "every other": [b"-".join(bytes([byte]) for byte in draw.choices(range(46, 256), k=2_500_000))],
    "bytes": [draw.randbytes(5_000_000)],
    "words": [draw.randbytes(draw.randrange(20)) for _ in range(500_000)],
}[sys.argv[1]]
extends = sys.argv[2] == "True"
counts = _native.PretokenCounts((word, draw.randrange(1, 10_000)) for word in words)
del words
known = [(b"a", b"a"), (b"aa", b"b")] if extends else []
trainer = _native.MergeTrainer(_native.PretokenCounts([(b"ab", 1)]), [], "bytes", [], 2)
bound = _native.merge_memory_bytes(counts, 2_000, 2, extends)
Path("/proc/self/clear_refs").write_text("5")
before = peak()
trainer = _native.MergeTrainer(counts, known, "bytes", [], 2)
merges = trainer.merge(2_000, lambda done, total: None)
print(bound, peak() - before, sum(len(left) + len(right) for left, right in merges))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak is read from /proc")
@pytest.mark.parametrize("extends", [False, True])
@pytest.mark.parametrize("kind", ["a letter", "letters", "every other", "bytes", "words"])
def test_merging_keeps_to_the_memory_stated(kind, extends):
    """Oracle: the kernel's high-water mark. The tokens, here and in the core, come on top."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(extends)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    bound, measured, tokens = map(int, done.stdout.split())
    assert measured <= bound + 2 * tokens
    assert bound <= 200_000_000
