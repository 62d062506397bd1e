"""A step that fails is kept and can be run again. Oracle: the run up to that step, computed apart."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from homespun.checkpoint import Checkpoint
from homespun.cli.main import main
from homespun.data import TokenDataset
from homespun.data.sampler import WindowSampler
from homespun.errors import ConfigError, MissingFileError, RunError, TrainingError
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory
from homespun.seeding import derive_seed
from homespun.training import environment
from homespun.training.peak import Peak
from homespun.training.replay import FailureFiles, replay
from refusals import refuses
from tiny import make_world, run_tiny

FLAGS = ["--model.norm=none", "--optim.lr=1e6", "--optim.schedule.warmup_steps=0", "--logging.sampling.prompts=[]"]
FLAGS += ["--logging.validation_every=100", "--execution.precision=float32", "--optim.weight_decay=0"]


@pytest.fixture(autouse=True, scope="module")
def quick_peak():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "find_peak", lambda device, precision: Peak(flops=1e12, reason="not measured"))
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "tiny")


@pytest.fixture(scope="module")
def failed(world, tmp_path_factory):
    """A run without norms at an absurd learning rate, and what it ended with."""
    root = tmp_path_factory.mktemp("failed") / "run"
    with pytest.raises(TrainingError) as caught:
        run_tiny(world, root, FLAGS)
    return root, str(caught.value)


def test_what_is_kept_is_the_moment_before_the_step(world, failed, tmp_path):
    """Oracle: the same run stopped before that step, and the sampler's batch."""
    root, _ = failed
    files = FailureFiles.of(RunDirectory(root))
    step = json.loads(files.record.read_text())["step"]
    assert step >= 1
    run_tiny(world, tmp_path / "stopped", FLAGS, stop_after=step)
    expected = Checkpoint.open(RunDirectory(tmp_path / "stopped").checkpoint_at(step))
    kept = Checkpoint.open(files.state)
    assert kept.iteration == step
    for name, tensor in expected.model.tensors.items():
        assert torch.equal(kept.model.tensors[name], tensor), name
    for name, tensor in expected.optimizer_tensors.items():
        assert torch.equal(kept.optimizer_tensors[name], tensor), name
    config = load_recipe(world)
    sampler = WindowSampler(TokenDataset.open(Path(config.data.train)), 16, derive_seed(config.seed, "data"))
    assert np.array_equal(np.load(files.batch), sampler.batch(step * 4, 4))


def test_a_replay_fails_as_the_step_did(failed):
    """Oracle: the message then."""
    root, message = failed
    found = replay(root)
    assert found.message == found.failure.message == message
    assert found.outcome is None
    assert found.trace.first_not_finite is not None
    assert found.trace.first_not_finite.removeprefix("the ") in message


def test_the_command_prints_modules_and_exits_with_1(failed, capsys):
    assert main(["replay", str(failed[0])]) == 1
    printed = capsys.readouterr().out
    assert "layers.0.attn.q_proj" in printed
    assert failed[1] in printed
    assert main(["replay", str(failed[0]), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["failure"]["message"] == failed[1]


def test_a_step_that_is_finite_now_is_told(world, failed, tmp_path, capsys):
    """Planted: the state of the failed step is replaced by the model's initial one, one step on."""
    root = tmp_path / "run"
    shutil.copytree(failed[0], root)
    run_tiny(world, tmp_path / "other", [*FLAGS, "--optim.lr=1e-3"], stop_after=1)
    shutil.copy(RunDirectory(tmp_path / "other").checkpoint_at(1), FailureFiles.of(RunDirectory(root)).state)
    assert main(["replay", str(root)]) == 0
    assert "finite: loss" in capsys.readouterr().out


def test_what_cannot_be_replayed_is_refused(world, failed, tmp_path):
    root, _ = failed
    with refuses(ConfigError, "--optim.lr=1"):
        replay(root, ["--optim.lr=1"])
    run_tiny(world, tmp_path / "fine", stop_after=1)
    with refuses(MissingFileError, tmp_path / "fine" / "failure"):
        replay(tmp_path / "fine")
    batch = FailureFiles.of(RunDirectory(root)).batch
    content = batch.read_bytes()
    batch.write_bytes(content[:-3])
    with refuses(RunError, root / "failure", "damaged"):
        replay(root)
    batch.write_bytes(content)
