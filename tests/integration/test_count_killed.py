"""`homespun tokenizer count` in another process, killed without warning."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

END = "<|endoftext|>"
NUM_KILLS = int(os.environ.get("HOMESPUN_NUM_KILLS", "50"))
"""Of the slow test: HOMESPUN_NUM_KILLS=500 pytest -m slow tests/integration/test_count_killed.py"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[str]:
    """Text that the core reads, and JSON lines that Python reads, the text in many ranges."""
    folder = tmp_path_factory.mktemp("corpus")
    text = "".join(f"document {n} of {n % 977} has {n * n} words{END if n % 5 == 0 else ', '}" for n in range(60_000))
    lines = "".join(f'{{"text": "line {n} has {n * 7 % 5000} words and {n % 99}"}}\n' for n in range(20_000))
    (folder / "a.txt").write_text(text)
    (folder / "b.jsonl").write_text(lines)
    return [str(folder / "a.txt"), str(folder / "b.jsonl")]


def count(inputs: list[str], out: Path) -> subprocess.Popen[bytes]:
    options = ["--special-token", END, "--range", "300KB", "--max-memory", "38MB", "--threads", "2"]
    command = [sys.executable, "-m", "homespun", "tokenizer", "count", *inputs, "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def kill_at_random(inputs: list[str], out: Path, num_kills: int, generator: random.Random) -> None:
    """Kill at any moment from the start to the end, again and again; a count that ends before is started again."""
    began = time.monotonic()
    assert count(inputs, out).wait() == 0
    seconds = time.monotonic() - began
    whole = out.read_bytes()
    out.unlink()
    num_killed = 0
    while num_killed < num_kills:
        with count(inputs, out) as process:
            try:
                process.wait(generator.uniform(0.2, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        if process.returncode == -signal.SIGKILL:
            num_killed += 1
        else:
            assert process.returncode == 0
            assert out.read_bytes() == whole
            out.unlink()
    assert count(inputs, out).wait() == 0
    assert out.read_bytes() == whole
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_kills_change_nothing(corpus, tmp_path):
    """Oracle: a process that nobody killed."""
    kill_at_random(corpus, tmp_path / "out.counts", 5, random.Random(0))


@pytest.mark.slow
def test_many_kills_change_nothing(corpus, tmp_path):
    """Oracle: a process that nobody killed."""
    kill_at_random(corpus, tmp_path / "out.counts", NUM_KILLS, random.Random(1))
