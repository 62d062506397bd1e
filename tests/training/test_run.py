"""What a checkpoint holds of a run. Oracle: the state that was saved; anything of another kind is refused at load."""

import io
import json
from dataclasses import asdict

import pytest
import torch

from homespun.checkpoint import Checkpoint, save_checkpoint
from homespun.errors import CheckpointError
from homespun.recipe.data import Fingerprints
from homespun.training.meter import MeterState
from homespun.training.rng import RngState
from homespun.training.run import RunState
from refusals import refuses

STATE = RunState(
    samples_consumed=2**40,
    rng=RngState.now(),
    meter=MeterState(seconds=2.5, training_seconds=2.0, losses=[3.0], validation=None),
    data=Fingerprints(tokenizer="a", train="b", valid="c"),
)


def checkpoint_with(values) -> Checkpoint:
    model = torch.nn.Linear(2, 2)
    file = io.BytesIO()
    save_checkpoint(model, torch.optim.SGD(model.parameters(), lr=0.1), 3, file, state=values)
    return Checkpoint.open(io.BytesIO(file.getvalue()))


def test_state_round_trips():
    assert RunState.of(checkpoint_with(json.loads(json.dumps(asdict(STATE))))) == STATE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("samples_consumed", -1),
        ("samples_consumed", 1.5),
        ("samples_consumed", 2**63),
        ("data", []),
        ("data", None),
        ("data.train", 3),
        ("meter", None),
        ("meter.seconds", "2"),
        ("meter.seconds", -1.0),
        ("meter.losses", [None]),
        ("meter.validation", {}),
        ("rng", {}),
        ("rng.torch", "00"),
        ("rng.torch", 5),
        ("rng.python", [3, "ff" * 8, None]),
        ("rng.numpy", ["MT19937", "00" * 2496, 625, 0, 0.0]),
        ("unknown", 1),
    ],
)
def test_state_of_a_wrong_kind_is_refused_and_nothing_set(key, value):
    values = json.loads(json.dumps(asdict(STATE)))
    *sections, leaf = key.split(".")
    section = values
    for name in sections:
        section = section[name]
    section[leaf] = value
    checkpoint = checkpoint_with(values)
    before = torch.get_rng_state()
    with refuses(CheckpointError, checkpoint.where, leaf if not key.startswith("rng.") else "state"):
        RunState.of(checkpoint)
    assert torch.equal(torch.get_rng_state(), before)
