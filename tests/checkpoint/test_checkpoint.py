import io
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from homespun.checkpoint import Checkpoint, layout, load_checkpoint, load_model, read_state, save_checkpoint
from homespun.errors import CheckpointError, MissingFileError, StorageError
from refusals import refuses

from .conftest import SmallModel, build, train

STATE = {"samples_consumed": 12_345_678_901, "rng": "00ff", "config": {"lr": 0.1 + 0.2, "names": ["a", "ü"]}}


def assert_equal_bits(left, right):
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    assert torch.equal(left.reshape(-1).view(torch.uint8), right.reshape(-1).view(torch.uint8))


def assert_same(model, optimizer, other_model, other_optimizer):
    for (name, left), (other_name, right) in zip(
        model.state_dict().items(), other_model.state_dict().items(), strict=True
    ):
        assert name == other_name
        assert_equal_bits(left, right)
    ours, theirs = optimizer.state_dict(), other_optimizer.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for index, values in ours["state"].items():
        for key, value in values.items():
            assert_equal_bits(value, theirs["state"][index][key])


@pytest.mark.parametrize("kind", ["path", "str", "file object"])
def test_round_trip_is_bitwise(trained, fresh, tmp_path, kind):
    """Oracle: identity, of every tensor, every setting and the state."""
    path = tmp_path / "step.safetensors"
    out = {"path": path, "str": str(path), "file object": io.BytesIO()}[kind]
    save_checkpoint(*trained, 3, out, state=STATE)
    if isinstance(out, io.BytesIO):
        out.seek(0)
    assert load_checkpoint(out, *fresh) == 3
    assert_same(*trained, *fresh)
    if isinstance(out, io.BytesIO):
        out.seek(0)
    assert read_state(out) == STATE


def test_training_goes_on_as_if_never_stopped(trained, fresh, tmp_path):
    """Oracle: the uninterrupted run, bit for bit."""
    save_checkpoint(*trained, 3, tmp_path / "step")
    load_checkpoint(tmp_path / "step", *fresh)
    for run in (trained, fresh):
        train(*run, 4, seed=2)
    assert_same(*trained, *fresh)


def test_saving_twice_gives_the_same_bytes(trained, tmp_path):
    save_checkpoint(*trained, 3, tmp_path / "one", state=STATE)
    save_checkpoint(*trained, 3, tmp_path / "two", state=STATE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_bfloat16_weights_keep_their_float32_moments(tmp_path):
    """torch's own load_state_dict would round them. Oracle: identity."""

    class Optimizer(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {"lr": 0.1})

        def step(self):
            for parameter in self.param_groups[0]["params"]:
                self.state[parameter] = {"m": torch.full(parameter.shape, 1 / 3), "steps": 7}

    def build_bfloat16():
        model = nn.Linear(2, 2).to(torch.bfloat16)
        return model, Optimizer(model.parameters())

    model, optimizer = build_bfloat16()
    optimizer.step()
    save_checkpoint(model, optimizer, 1, tmp_path / "step")
    other_model, other_optimizer = build_bfloat16()
    load_checkpoint(tmp_path / "step", other_model, other_optimizer)
    restored = other_optimizer.state[other_model.weight]
    assert restored["steps"] == 7
    assert_equal_bits(restored["m"], torch.full((2, 2), 1 / 3))


def test_shared_weights_are_saved_once(trained, tmp_path):
    from safetensors import safe_open

    save_checkpoint(*trained, 3, tmp_path / "step")
    with safe_open(tmp_path / "step", framework="pt") as file:
        assert "model.table.weight" in file.keys()  # noqa: SIM118 - not a dict
        assert "model.head.weight" not in file.keys()  # noqa: SIM118
        assert json.loads(file.metadata()["tied"]) == {"head.weight": "table.weight"}


def test_the_safetensors_library_reads_it_unchanged(trained, tmp_path):
    """Oracle: safetensors' own loader."""
    from safetensors.torch import load_file

    save_checkpoint(*trained, 3, tmp_path / "step")
    model, optimizer = trained
    loaded = load_file(tmp_path / "step")
    for name, tensor in model.state_dict().items():
        if name != "head.weight":
            assert_equal_bits(loaded[f"model.{name}"], tensor)
    assert_equal_bits(loaded["optimizer.table.weight.exp_avg"], optimizer.state[model.table.weight]["exp_avg"])


def test_compiled_and_plain_models_share_checkpoints(trained, tmp_path):
    class Compiled(nn.Module):
        """What torch.compile does to names."""

        def __init__(self, model):
            super().__init__()
            self._orig_mod = model

    model, optimizer = trained
    save_checkpoint(Compiled(model), optimizer, 3, tmp_path / "compiled")
    save_checkpoint(model, optimizer, 3, tmp_path / "plain")
    assert (tmp_path / "compiled").read_bytes() == (tmp_path / "plain").read_bytes()
    other = SmallModel(seed=5)
    load_model(tmp_path / "plain", Compiled(other))
    assert_equal_bits(other.inner.weight, model.inner.weight)


def test_weights_alone(trained, tmp_path):
    save_checkpoint(*trained, 3, tmp_path / "step")
    model = SmallModel(seed=5)
    assert load_model(tmp_path / "step", model) == 3
    assert_equal_bits(model.counts, trained[0].counts)


def another_shape():
    model, _ = build()
    model.inner = nn.Linear(5, 4)
    return model


def another_name():
    model, _ = build()
    model.outer = model.inner
    del model.inner
    return model


def another_type():
    model, _ = build()
    model.inner.to(torch.float64)
    return model


def untied():
    model, _ = build()
    model.head = nn.Linear(5, 7, bias=False)
    return model


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (another_shape, ("model.inner.weight", "(3, 5)", "(4, 5)")),
        (another_name, ("model.outer.bias", "model.outer.weight", "model.inner.bias", "model.inner.weight")),
        (another_type, ("model.inner.weight", "torch.float32", "torch.float64")),
        (untied, ("model.head.weight", "model.table.weight")),
    ],
)
def test_another_model_is_refused_and_left_alone(trained, tmp_path, change, facts):
    save_checkpoint(*trained, 3, tmp_path / "step")
    model = change()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with refuses(CheckpointError, tmp_path / "step", *facts):
        load_model(tmp_path / "step", model)
    for name, tensor in model.state_dict().items():
        assert_equal_bits(tensor, before[name])


def test_another_optimizer_is_refused_and_nothing_touched(trained, fresh, tmp_path):
    save_checkpoint(*trained, 3, tmp_path / "step")
    model, _ = fresh
    before = model.table.weight.clone()
    with refuses(CheckpointError, "AdamW", "SGD"):
        load_checkpoint(tmp_path / "step", model, torch.optim.SGD(model.parameters(), lr=0.1))
    with refuses(CheckpointError, "2 + 3", "as 5"):
        load_checkpoint(tmp_path / "step", model, torch.optim.AdamW(model.parameters()))
    assert_equal_bits(model.table.weight, before)


def test_an_optimizer_of_foreign_parameters_is_refused(trained, tmp_path):
    with refuses(CheckpointError, "not the model's"):
        save_checkpoint(SmallModel(), trained[1], 3, tmp_path / "step")
    assert not list(tmp_path.iterdir())


def test_a_parameter_that_never_had_a_gradient_has_no_state(fresh, tmp_path):
    """Oracle: identity; such a parameter is stated to have none, so that lost state can be distinguished from it."""

    def build_half():
        model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    model, optimizer = build_half()
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    save_checkpoint(model, optimizer, 1, tmp_path / "step")
    other_model, other_optimizer = build_half()
    load_checkpoint(tmp_path / "step", other_model, other_optimizer)
    assert_same(model, optimizer, other_model, other_optimizer)


@pytest.mark.parametrize("kind", ["seekable", "stream", "appended"])
def test_every_tensor_is_fetched_once(trained, tmp_path, monkeypatch, kind):
    """Oracle: the bytes of a file that can seek; the calls that copy from a device, counted."""
    fetched = []
    bytes_of = layout._bytes_of
    monkeypatch.setattr(layout, "_bytes_of", lambda tensor: fetched.append(tensor) or bytes_of(tensor))
    written = io.BytesIO(b"before") if kind == "seekable" else io.BytesIO()
    if kind == "seekable":
        written.seek(6)
        save_checkpoint(*trained, 3, written)
        content = written.getvalue()[6:]
    elif kind == "stream":

        class Stream:
            def write(self, content):
                written.write(content)

        save_checkpoint(*trained, 3, Stream())
        content = written.getvalue()
    else:
        (tmp_path / "file").write_bytes(b"before")
        with (tmp_path / "file").open("ab") as file:
            save_checkpoint(*trained, 3, file)
        content = (tmp_path / "file").read_bytes()[6:]
    assert len(fetched) == len({id(tensor) for tensor in fetched})
    expected = io.BytesIO()
    save_checkpoint(*trained, 3, expected)
    assert content == expected.getvalue()


def test_a_checkpoint_is_opened_once(trained, fresh, tmp_path):
    """Oracle: the file is gone after it was opened, and loads all the same."""
    save_checkpoint(*trained, 3, tmp_path / "step", state=STATE)
    checkpoint = Checkpoint.open(tmp_path / "step")
    (tmp_path / "step").unlink()
    assert (checkpoint.iteration, checkpoint.state) == (3, STATE)
    assert checkpoint.load_into(*fresh) == 3
    assert_same(*trained, *fresh)


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, float("nan"), b"bytes", {"deep": [object()]}])
def test_state_that_json_would_change_is_refused(trained, tmp_path, value):
    with refuses(CheckpointError, "state"):
        save_checkpoint(*trained, 3, tmp_path / "step", state={"key": value})
    assert not list(tmp_path.iterdir())


def test_missing_file(fresh, tmp_path):
    with refuses(MissingFileError, tmp_path / "absent"):
        load_checkpoint(tmp_path / "absent", *fresh)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(trained):
    with (
        refuses(StorageError, "disk is full"),
        open("/dev/full", "wb", buffering=0) as file,  # noqa: PTH123 - unbuffered
    ):
        save_checkpoint(*trained, 3, file)


def test_a_failed_save_keeps_the_old_file(trained, tmp_path, monkeypatch):
    path = tmp_path / "step"
    save_checkpoint(*trained, 3, path)
    before = path.read_bytes()

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with refuses(StorageError, path, "disk is full"):
        save_checkpoint(*trained, 4, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["step"]


def test_no_tensor_overlaps_another_and_all_are_aligned(trained, tmp_path):
    """Oracle: the layout's own rules, read from the raw header."""
    save_checkpoint(*trained, 3, tmp_path / "step")
    raw = (tmp_path / "step").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    del header["__metadata__"]
    offsets = sorted(tuple(entry["data_offsets"]) for entry in header.values())
    assert (8 + length) % 8 == 0
    assert offsets[0][0] == 0
    assert offsets[-1][1] == len(raw) - 8 - length
    assert all(before[1] == after[0] for before, after in pairwise(offsets))
