"""Commands that are called twice at a time for one and the same result."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from homespun.cli.main import main
from homespun.locks import LOCK_NAME

END = "<|endoftext|>"
RECIPE = {
    "name": "tiny",
    "source": {"corpus": "files", "train": "text.txt", "valid": "valid.txt"},
    "tokenizer": {"vocab_size": 280},
    "data": {"tokenizer": "tok", "train": "train", "valid": "valid"},
    "model": {"vocab_size": 280, "context_length": 16, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 32},
    "training": {"num_steps": 200, "batch_size": 4},
    "execution": {"micro_batch": 2, "device": "cpu"},
    "logging": {"log_every": 1},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    documents = [f"document {number} of {number % 977} has {number * number} words. " for number in range(40_000)]
    Path("text.txt").write_text(END.join(documents))


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "homespun", *command], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@contextmanager
def stopped_in(directory: Path, command: list[str], *, at: str) -> Iterator[None]:
    """A process at `command` that stands still as soon as the file `at` is in `directory`; in the end it is killed."""
    with start(command) as process:
        try:
            while not (directory / at).exists():
                assert process.poll() is None, process.communicate()
                time.sleep(0.001)
            os.kill(process.pid, signal.SIGSTOP)
            # Until it is told to have stopped, some of its threads go on.
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), "it ended before it could be stopped"
            assert (directory / LOCK_NAME).exists(), "it was done before it could be stopped"
            yield
        finally:
            process.kill()


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def check_is_refused(command: list[str], directory: Path) -> None:
    before = files_in(directory)
    with start(command) as process:
        _, said = process.communicate()
    assert process.returncode == 2
    assert said == (
        f"homespun: error: {directory}: is being written by another process; wait until that has ended, or end it, "
        "then run the same command again\n"
    )
    assert files_in(directory) == before


def test_counting():
    """Oracle: a count by one process."""
    command = ["tokenizer", "count", "text.txt", "--special-token", END, "--range", "50KB", "--threads", "1", "--out"]
    ranges = Path("a.counts.ranges")
    with stopped_in(ranges, [*command, "a.counts"], at="ranges.json"):
        check_is_refused([*command, "a.counts"], ranges)
    assert main([*command, "a.counts"]) == 0
    assert main([*command, "b.counts"]) == 0
    assert Path("a.counts").read_bytes() == Path("b.counts").read_bytes()
    assert not ranges.exists()


def test_encoding():
    """Oracle: an encoding by one process."""
    assert main(["tokenizer", "train", "text.txt", "--vocab-size", "280", "--special-token", END, "--out", "tok"]) == 0
    command = ["corpus", "encode", "text.txt", "--tokenizer", "tok", "--threads", "1", "--shard", "100KB"]
    with stopped_in(Path("a"), [*command, "--out", "a"], at="shard-00000.npy"):
        check_is_refused([*command, "--out", "a"], Path("a"))
    assert main([*command, "--out", "a"]) == 0
    assert main([*command, "--out", "b"]) == 0
    assert files_in(Path("a")) == files_in(Path("b"))


@pytest.mark.timeout(90)  # it starts a process that imports torch three times
def test_training():
    Path("tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    Path("valid.txt").write_text(f"held out{END}" * 9)
    assert main(["prepare", "tiny.yaml"]) == 0
    command = ["train", "tiny.yaml", "--out", "run"]
    with stopped_in(Path("run"), command, at="metrics.jsonl"):
        check_is_refused(command, Path("run"))
    assert main(command) == 0
    assert Path("run/result.json").exists()
    assert not Path("run", LOCK_NAME).exists()
