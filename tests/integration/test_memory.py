"""What a memory budget promises, measured from outside."""

import re
import subprocess
import sys

import pytest

# The kernel's own figure of the process at its largest; that of getrusage may be the parent's.
SCRIPT = """
import sys
from pathlib import Path
from homespun.cli.main import main
assert main(sys.argv[1:]) == 0
print("peak", *[line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")])
"""


def peak_bytes(*arguments: object) -> int:
    """The most memory that `homespun ARGUMENTS` held at a time."""
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=28, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"peak VmHWM:\s*(\d+) kB", done.stdout)
    assert found, done.stdout
    return int(found[1]) * 1024


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """400,000 distinct words, each three times: counting them takes far more than the budgets below."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a process how large it was")
    path = tmp_path_factory.mktemp("memory") / "corpus.txt"
    words = [f"{n * 2654435761 % 2**32:x}" for n in range(400_000)]
    path.write_text(" ".join(words * 3))
    return path


@pytest.mark.parametrize("megabytes", [38, 60])
def test_counting_keeps_to_its_budget(corpus, megabytes, tmp_path):
    """Oracle: VmHWM, and as a control that counting without a budget takes more."""
    out = tmp_path / "a.counts"
    options = ["--pattern", r"\w+", "--threads", "2", "--special-token", " "]
    assert peak_bytes("tokenizer", "count", corpus, "--out", out, *options, "--max-memory", f"{megabytes}MB") <= (
        megabytes * 10**6
    )
    assert peak_bytes("tokenizer", "count", corpus, "--out", tmp_path / "b.counts", *options) > 60 * 10**6
    assert out.read_bytes() == (tmp_path / "b.counts").read_bytes()


def test_training_keeps_to_its_budget(corpus, tmp_path):
    """Oracle: VmHWM, and training without a budget."""
    options = ["--pattern", r"\w+", "--threads", "2", "--special-token", " ", "--vocab-size", "2000"]
    peak = peak_bytes("tokenizer", "train", corpus, "--out", tmp_path / "a", *options, "--max-memory", "140MB")
    assert peak <= 140 * 10**6
    peak_bytes("tokenizer", "train", corpus, "--out", tmp_path / "b", *options)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()
