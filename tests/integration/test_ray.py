"""Counting and encoding on a Ray cluster of several workers, some of which are killed in the middle."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from homespun.corpus.inputs import expand_inputs
from homespun.data import encode_corpus
from homespun.records import RunDirectory
from homespun.sweeps import SweepDirectory
from homespun.tokenizer import Tokenizer, train_bpe
from homespun.tokenizer.counting.job import count_corpus

ROOT = Path(__file__).resolve().parents[2]
END = "<|endoftext|>"
# Slow to split, so that a task lasts long enough to be killed in.
PATTERN = r"\p{L}+|\s+|\p{N}{1,3}|[^\s\p{L}\p{N}]+"
NUM_WORKERS = 3
# A cluster and its workers start in seconds, but on a machine that is busy in many of them.
pytestmark = pytest.mark.timeout(90)

TASKS = """
import os, sys, time
from pathlib import Path
from homespun.cluster import run_tasks
from homespun.errors import DataError

def double_slowly(folder: Path, number: int, report) -> int:
    if number < 0:
        raise DataError(f"{number} is below 0")
    (folder / f"{number}-{os.getpid()}").touch()
    time.sleep(0.3)
    return 2 * number

folder, calls = Path(sys.argv[2]), []
how = {"cluster": sys.argv[1], "on_progress": lambda *call: calls.append(call)}
assert run_tasks(double_slowly, folder, [*range(8)], **how) == [*range(0, 16, 2)]
assert calls == [(number, 8) for number in range(1, 9)]
try:
    run_tasks(double_slowly, folder, [100, -1, 101], cluster=sys.argv[1])
except DataError as error:
    assert str(error) == "-1 is below 0"
else:
    raise AssertionError("no error")
"""


TRAIN = """
import sys
from homespun.tokenizer import CountOptions, Tokenizer, train_bpe

address, pattern, end, *inputs = sys.argv[1:]
options = CountOptions(cluster=address, counts_path="python.counts")
vocab, merges = train_bpe(inputs, 300, [end], pattern=pattern, options=options)
Tokenizer(vocab, merges, [end], pattern=pattern).save("python")
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster on this machine, whose workers are processes of their own."""

    address: str
    environment: dict[str, str]
    """What its callers must have: its token too."""
    folder: str

    def call(self, *program: str, folder: Path | None = None) -> subprocess.Popen[str]:
        """Start Python with these arguments as a caller of the cluster, in a folder."""
        command = [sys.executable, "-W", "error", *program]
        return subprocess.Popen(
            command, env=self.environment, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def busy_workers(self) -> set[int]:
        """The processes that are working on a task: Ray names them so."""
        found = set()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                is_ours = folder.name.isdecimal() and self.folder in (folder / "environ").read_text(errors="replace")
                if is_ours and (folder / "cmdline").read_bytes().startswith(b"ray::_work_remotely"):
                    found.add(int(folder.name))
        return found

    def kill_a_busy_worker(self, process: subprocess.Popen[str]) -> None:
        """Kill one at its task, for a caller that has work for more than one."""
        while not (workers := self.busy_workers()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        os.kill(min(workers), signal.SIGKILL)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a caller that must end well."""
    out, error = process.communicate(timeout=80)
    assert process.returncode == 0, out + error


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # Not pytest's own folder: the paths of sockets must be short.
    folder = tempfile.mkdtemp(prefix="ray-")
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HOMESPUN_TEST_CLUSTER": folder,
    }
    command = (
        f"ray start --head --block --port={port} --num-cpus={NUM_WORKERS} --include-dashboard=false "
        f"--disable-usage-stats --temp-dir={folder}"
    )
    process = subprocess.Popen(command.split(), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 80
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        assert process.poll() is None, "ray start ended"
        assert time.monotonic() < deadline, "ray did not start"
        time.sleep(0.05)
    yield Cluster(f"127.0.0.1:{port}", environment, folder)
    process.terminate()
    process.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_killed_worker_loses_nothing_and_errors_are_their_own(cluster, tmp_path):
    """Oracle: the program's own asserts. A worker is killed at its task, which another then does."""
    process = cluster.call("-c", TASKS, cluster.address, str(tmp_path))
    while not (marks := list(tmp_path.iterdir())):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    number, killed = marks[0].name.split("-")
    os.kill(int(killed), signal.SIGKILL)
    finish(process)
    attempts = [mark.name.split("-") for mark in tmp_path.iterdir()]
    assert len([other for other, _ in attempts if other == number]) == 2
    assert len({pid for _, pid in attempts}) > 2


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> list[str]:
    """Eight megabytes: plain text and JSON lines."""
    folder = tmp_path_factory.mktemp("inputs")
    documents = [
        f"document {number}: the cat's {number % 7} hats, and what became of them.\n" for number in range(30_000)
    ]
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(END.join(documents))
    (folder / "d.jsonl").write_text("".join(json.dumps({"text": document}) + "\n" for document in documents[:9_000]))
    return [str(folder / name) for name in ("a.txt", "b.txt", "c.txt", "d.jsonl")]


def test_counts_and_merges_are_those_of_one_machine(cluster, inputs, tmp_path):
    """Oracle: `count_corpus` and `train_bpe` here. A worker is killed in the middle."""
    command = ["-m", "homespun", "tokenizer", "count", *inputs, "--out", "tasks.counts", "--range", "1MB"]
    settings = ["--special-token", END, "--pattern", PATTERN, "--ray", cluster.address]
    process = cluster.call(*command, *settings, folder=tmp_path)
    cluster.kill_a_busy_worker(process)
    finish(process)
    count_corpus(expand_inputs(inputs), tmp_path / "whole.counts", [END], pattern=PATTERN)
    assert (tmp_path / "tasks.counts").read_bytes() == (tmp_path / "whole.counts").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tasks.counts", "whole.counts"]
    command = ["-m", "homespun", "tokenizer", "train", *inputs, "--out", "tok", "--vocab-size", "300"]
    finish(cluster.call(*command, *settings, folder=tmp_path))
    finish(cluster.call("-c", TRAIN, cluster.address, PATTERN, END, *inputs, folder=tmp_path))
    merges = train_bpe(inputs, 300, [END], pattern=PATTERN)[1]
    for name in ("tok", "python"):
        assert (tmp_path / f"{name}.counts").read_bytes() == (tmp_path / "whole.counts").read_bytes()
        assert Tokenizer.load(tmp_path / name).merges == merges


def test_a_data_set_is_that_of_one_machine(cluster, inputs, tmp_path):
    """Oracle: `encode_corpus` here. A worker is killed, and the caller; the same command resumes.

    As long as the caller is there, a second one is refused.
    """
    vocab, merges = train_bpe(inputs[0], 300, [END], pattern=PATTERN)
    tokenizer = Tokenizer(vocab, merges, [END], pattern=PATTERN)
    tokenizer.save(tmp_path / "tok")
    command = ["-m", "homespun", "corpus", "encode", *inputs, "--tokenizer", "tok", "--out", "tokens"]
    settings = ["--shard", "500KB", "--ray", cluster.address]
    process = cluster.call(*command, *settings, folder=tmp_path)
    cluster.kill_a_busy_worker(process)
    while not list(tmp_path.glob("tokens/shard-*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    second = cluster.call(*command, *settings, folder=tmp_path)
    assert "tokens: is being written by another process" in second.communicate(timeout=80)[1]
    assert second.returncode == 2
    process.kill()
    process.communicate()
    finish(cluster.call(*command, *settings, folder=tmp_path))
    encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_bytes=500_000)
    tokens, whole = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("tokens", "whole")
    )
    assert tokens == whole


@pytest.mark.timeout(180)  # every worker imports torch
def test_a_sweep_is_that_of_one_machine(cluster, tmp_path):
    """Oracle: the same plan trained here. A worker is killed in the middle of a run, which another resumes."""
    plan = str(ROOT / "recipes" / "experiments" / "silu.yaml")
    every_step = ["--logging.checkpoint_every", "1", "--logging.log_every", "1"]
    command = ["-m", "homespun", "sweep", plan, "--scale", "smoke", *every_step, "--out"]
    process = cluster.call(*command, "cluster", "--ray", cluster.address, folder=tmp_path)
    while not list(tmp_path.glob("cluster/runs/*/checkpoints/*.safetensors")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    cluster.kill_a_busy_worker(process)
    finish(process)
    finish(cluster.call(*command, "here", folder=tmp_path))
    distributed, local = (SweepDirectory(tmp_path / name).read() for name in ("cluster", "here"))
    assert [run.status for run in distributed.runs] == ["finished"] * 4
    assert [(run.directory, run.measures) for run in distributed.runs] == [
        (run.directory, run.measures) for run in local.runs
    ]
    for run in distributed.runs:
        records, _ = RunDirectory(tmp_path / "cluster" / run.directory).read_metrics()
        assert [record.step for record in records] == [1, 2, 3, 4]
