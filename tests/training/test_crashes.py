"""A run's files after a crash at any moment, and on a disk that refuses: nothing that was reported as saved is lost.

Oracles: the steps whose checkpoints were reported, the records, and a run that nobody disturbed.
"""

import errno
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from crashes import Disk, Recording, record_operations, write_state
from homespun.checkpoint import Checkpoint
from homespun.errors import StorageError
from homespun.records import RunDirectory, step_of
from homespun.training import environment
from homespun.training.events import CheckpointSaved
from homespun.training.peak import Peak
from tiny import figures, make_world, run_tiny

FLAGS = ["--training.num_steps=4", "--logging.checkpoint_every=1", "--logging.keep_checkpoints=1"]
FLAGS += ["--logging.validation_every=2", "--logging.sampling.every=3"]


@pytest.fixture(autouse=True)
def quick_peak(monkeypatch):
    monkeypatch.setattr(environment, "find_peak", lambda device, precision: Peak(flops=1e12, reason="not measured"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "tiny")


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What the records of a run say that nobody disturbed."""
    root = tmp_path_factory.mktemp("undisturbed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "find_peak", lambda device, precision: Peak(flops=1e12, reason="not measured"))
        run_tiny(world, root, FLAGS)
    return figures(root)


class Watched:
    """A run of which every file operation is recorded, and when each checkpoint was reported."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.saved: list[tuple[int, int]] = []
        """Operations done, and the step whose checkpoint was then reported."""

    def __call__(self, event):
        if isinstance(event, CheckpointSaved):
            self.saved.append((len(self.recording.operations), event.step))

    def step_saved(self, num_operations: int) -> int:
        return max((step for at, step in self.saved if at <= num_operations), default=0)


def check_intact(root: Path, saved: int) -> None:
    """Every checkpoint is whole, the latest is no older than what was reported, and its records are there."""
    directory = RunDirectory(root)
    checkpoints = directory.list_checkpoints()
    assert [Checkpoint.open(path).iteration for path in checkpoints] == [step_of(path) for path in checkpoints]
    latest = step_of(checkpoints[-1]) if checkpoints else 0
    assert latest >= saved
    # Of the last line a part may be missing, or all of it: it is of a step after the checkpoint.
    whole = directory.metrics.read_bytes().rpartition(b"\n")[0] if directory.metrics.exists() else b""
    directory.metrics.unlink(missing_ok=True)
    if whole:
        directory.metrics.write_bytes(whole + b"\n")
    assert [record.step for record in directory.read_metrics()[0]][:latest] == [*range(1, latest + 1)]


@pytest.mark.timeout(240)
def test_after_a_crash_at_any_moment_the_run_resumes(world, undisturbed, tmp_path):
    """Every prefix of a run's file operations, unsynced writes and names missing or torn; some are resumed."""
    root = tmp_path / "run"
    with record_operations(root) as recording:
        watched = Watched(recording)
        run_tiny(world, root, FLAGS, listener=watched)
    disk, num_states = Disk(), 0
    for number, operation in enumerate(recording.operations, start=1):
        disk.apply(operation)
        for state in disk.crash_states():
            folder = tmp_path / "crashed"
            write_state(state, folder)
            check_intact(folder, watched.step_saved(number))
            num_states += 1
            if num_states % 60 == 0 and not RunDirectory(folder).result.exists():
                run_tiny(world, folder, FLAGS)
                assert figures(folder) == undisturbed
            shutil.rmtree(folder)
    assert watched.step_saved(len(recording.operations)) == 4
    assert num_states > 500


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_a_disk_that_refuses_any_operation_loses_nothing(world, undisturbed, tmp_path, error, stride):
    """One error at a time, at any operation or one of 13; then the same command on a disk that works."""
    with record_operations(tmp_path / "run") as recording:
        run_tiny(world, tmp_path / "run", FLAGS)
    for number in range(0, len(recording.operations), stride):
        root = tmp_path / str(number)
        with record_operations(root) as failing:
            failing.fail_at, failing.error = number, error
            watched = Watched(failing)
            with suppress(StorageError):
                run_tiny(world, root, FLAGS, listener=watched)
        check_intact(root, watched.step_saved(len(failing.operations)))
        if not RunDirectory(root).result.exists():
            run_tiny(world, root, FLAGS)
        assert figures(root) == undisturbed
        shutil.rmtree(root)
