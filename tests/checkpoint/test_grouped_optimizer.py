"""Our own optimizers know their state exactly. Oracle: the run that was not stopped; refusals touch nothing."""

import io
import json

import pytest
import torch
from torch import nn

from homespun.checkpoint import load_checkpoint, save_checkpoint
from homespun.checkpoint.layout import read_tensors, write_tensors
from homespun.errors import CheckpointError
from homespun.optim import AdamWOptim, GroupRule, MuonConfig, SGDConfig, build_optimizer
from homespun.optim.optimizer import set_learning_rates
from refusals import refuses

RULES = [GroupRule(pattern="0.weight", optimizer=MuonConfig()), GroupRule(pattern="1.bias", optimizer=SGDConfig())]


def build(num_steps=0):
    torch.manual_seed(num_steps)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = build_optimizer(model, AdamWOptim(lr=0.1, groups=RULES))
    train(model, optimizer, num_steps)
    return model, optimizer


def train(model, optimizer, num_steps):
    for _ in range(num_steps):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()


def test_several_rules_resume_bit_for_bit(tmp_path):
    whole, resumed = build(3), build()
    save_checkpoint(*whole, 3, tmp_path / "step")
    load_checkpoint(tmp_path / "step", *resumed)
    for run in (whole, resumed):
        train(*run, 3)
    assert all(torch.equal(a, b) for a, b in zip(whole[0].parameters(), resumed[0].parameters(), strict=True))


def test_a_checkpoint_of_the_first_step_of_a_warm_up_loads():
    """Oracle: identity; the learning rate is 0 there, which no recipe may ask for."""
    file, (model, optimizer), (other_model, other_optimizer) = io.BytesIO(), build(1), build()
    set_learning_rates(optimizer, 0.0)
    save_checkpoint(model, optimizer, 1, file)
    file.seek(0)
    load_checkpoint(file, other_model, other_optimizer)
    assert [group["lr"] for group in other_optimizer.param_groups] == [0.0] * len(optimizer.param_groups)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("0.weight.momentum", lambda tensor: tensor[:1]),
        ("0.weight.momentum", lambda tensor: tensor.double()),
        ("0.weight.exp_avg", lambda tensor: torch.ones(4, 3)),
        ("1.bias.step", lambda tensor: tensor.expand(2)),
        ("1.weight.exp_avg", lambda tensor: tensor.long()),
    ],
)
def test_state_that_a_rule_cannot_have_is_refused(name, change):
    """The parameter is alone in its group, so that no other's state could tell."""
    tensors, metadata = forged()
    tensors[f"optimizer.{name}"] = change(tensors.get(f"optimizer.{name}"))
    refuse(tensors, metadata, f"optimizer.{name.rpartition('.')[0]}")


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [(0, "betas", [2, 2]), (0, "betas", [1, 1]), (0, "kind", "sgd"), (2, "momentum", 1.0), (2, "lr", -1.0)],
)
def test_settings_that_a_rule_cannot_have_are_refused(group, key, value):
    tensors, metadata = forged()
    optimizer = json.loads(metadata["optimizer"])
    optimizer["groups"][group][key] = value
    refuse(tensors, {**metadata, "optimizer": json.dumps(optimizer)}, key)


def forged():
    file = io.BytesIO()
    save_checkpoint(*build(2), 2, file)
    return read_tensors(memoryview(bytearray(file.getvalue())), "intact")


def refuse(tensors, metadata, *facts):
    file = io.BytesIO()
    write_tensors(file, tensors, {key: value for key, value in metadata.items() if key != "sha256"})
    model, optimizer = build()
    before = [parameter.clone() for parameter in model.parameters()]
    with refuses(CheckpointError, *facts):
        load_checkpoint(io.BytesIO(file.getvalue()), model, optimizer)
    assert not optimizer.state
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))
