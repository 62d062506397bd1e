"""A training process that is told to end saves and leaves a run that resumes. Oracle: a run that nobody stopped."""

import signal
import subprocess
import sys
import time

import pytest

from homespun.records import RunDirectory
from tiny import figures, make_world

FLAGS = ["--training.num_steps=600", "--logging.checkpoint_every=30", "--logging.validation_every=1000"]
FLAGS += ["--logging.sampling.prompts=[]", "--optim.schedule.kind=constant"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "tiny")


def start(world, root) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "homespun", "train", str(world), "--out", str(root), *FLAGS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    root = tmp_path_factory.mktemp("whole") / "run"
    process = start(world, root)
    _, error = process.communicate()
    assert process.returncode == 0, error
    return root


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [name for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)])
def test_a_signal_saves_and_the_run_resumes(world, whole, tmp_path, name):
    number, directory = getattr(signal, name), RunDirectory(tmp_path / "run")
    process = start(world, directory.root)
    while not directory.list_checkpoints():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(number)
    _, error = process.communicate()
    assert process.returncode == 128 + number, error
    assert "resumes" in error
    process = start(world, directory.root)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert figures(directory.root) == figures(whole)
