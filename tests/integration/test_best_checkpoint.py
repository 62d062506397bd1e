"""The checkpoint with the lowest validation loss is kept, and can be named."""

import json
import shutil

import pytest

from homespun.cli.main import main
from homespun.errors import MissingFileError
from homespun.records import RunDirectory
from homespun.runs.load import load_run
from refusals import refuses
from tiny import make_world, run_tiny


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


# The learning rate grows until the model diverges: the best step is one of the first. All are validated and saved.
DIVERGING = [
    "--optim.schedule={kind: linear, warmup_steps: 11}", "--optim.lr=5", "--logging.validation_every=1",
    "--logging.checkpoint_every=1", "--logging.keep_checkpoints=1",
]  # fmt: skip


def test_the_best_checkpoint_is_kept_and_can_be_named(world, tmp_path, capsys):
    """Oracle: the lowest of the recorded validations; scored anew, its checkpoint has that very loss."""
    root = tmp_path / "run"
    run_tiny(world, root, DIVERGING)
    validations = [record for record in RunDirectory(root).read_validations() if not record.whole]
    best = min(validations, key=lambda record: record.loss)
    assert len(validations) == 12
    assert best.step < 11, "it is not kept for being the latest"
    assert [path.stem for path in RunDirectory(root).list_checkpoints()] == [f"step-{best.step:06d}", "step-000012"]
    command = ["evaluate", str(root), "--checkpoint", "best", "--max-tokens", "64", "--json", "--device", "cpu"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["step"], found["loss"]) == (best.step, best.loss)


@pytest.mark.parametrize("stop", [3, 8])
def test_the_best_checkpoint_survives_a_resume(world, tmp_path, stop):
    """Oracle: the same run, never stopped. The one that stops was killed before it had removed older checkpoints."""
    root, unstopped = tmp_path / "run", tmp_path / "unstopped"
    run_tiny(world, unstopped, DIVERGING)
    run_tiny(world, root, DIVERGING, stop_after=stop)
    shutil.copy(RunDirectory(root).checkpoint_at(stop), RunDirectory(root).checkpoint_at(2))
    run_tiny(world, root, DIVERGING)
    ours, theirs = (RunDirectory(path) for path in (root, unstopped))
    assert [path.stem for path in ours.list_checkpoints()] == [path.stem for path in theirs.list_checkpoints()]
    assert load_run(root, "best", device="cpu").step == load_run(unstopped, "best", device="cpu").step


def test_a_run_without_a_validated_checkpoint_has_no_best(world, tmp_path):
    root = tmp_path / "run"
    run_tiny(world, root, stop_after=5)
    with refuses(MissingFileError, root, "validation_every"):
        load_run(root, "best")
