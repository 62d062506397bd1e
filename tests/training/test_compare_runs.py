"""Two runs compared to the bit. Oracles: runs of the same recipe, and files in which one thing was changed."""

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
import yaml

from homespun.checkpoint.checkpoint import Checkpoint
from homespun.checkpoint.layout import read_tensors, write_tensors
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.records import RunDirectory
from homespun.training.compare_runs import describe_tensor, find_difference, with_first_tensor
from homespun.training.session import RunFiles, run_session


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    for split in ("train", "valid"):
        (root / f"{split}.txt").write_text("".join(f"Fox {i} met {i % 7} geese.<|endoftext|>" for i in range(40)))
    recipe = {
        "name": "tiny",
        "source": {"corpus": "files", "train": str(root / "train.txt"), "valid": str(root / "valid.txt")},
        "tokenizer": {"vocab_size": 270},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {"vocab_size": 270, "context_length": 8, "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ff": 16},
        "training": {"num_steps": 9, "batch_size": 4},
        "optim": {"schedule": {"warmup_steps": 2}},
        "execution": {"micro_batch": 4, "device": "cpu", "precision": "float32"},
        "logging": {"log_every": 1},
    }
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    config = load_recipe(path)
    prepare(config)
    return config


@pytest.fixture(scope="module")
def opened(config, tmp_path_factory):
    """A run of no steps: a copy of it need not measure the machine's peak again."""
    files = RunFiles(root=tmp_path_factory.mktemp("opened") / "run")
    run_session(config, files, 0, on_step=lambda step: None)
    return files


@pytest.fixture(scope="module")
def trained(config, opened, tmp_path_factory):
    files = RunFiles(root=tmp_path_factory.mktemp("trained") / "run")
    shutil.copytree(opened.root, files.root)
    steps = []
    assert not run_session(config, files, 3, on_step=steps.append)
    assert steps == [0, 1, 2, 3]
    return files


@pytest.fixture
def copy(trained, tmp_path):
    files = RunFiles(root=tmp_path / "run")
    shutil.copytree(trained.root, files.root)
    shutil.copy(trained.hashes, files.hashes)
    return files


def change_checkpoint(files, change):
    """Rewrite the latest checkpoint, with a valid hash, after `change(tensors, metadata)`."""
    path = RunDirectory(files.root).list_checkpoints()[-1]
    tensors, metadata = read_tensors(memoryview(bytearray(path.read_bytes())), str(path))
    change(tensors, metadata)
    del metadata["sha256"]
    with path.open("wb") as file:
        write_tensors(file, tensors, metadata)


def test_the_same_run_again_does_not_differ(config, opened, trained, tmp_path):
    again = RunFiles(root=tmp_path / "again")
    shutil.copytree(opened.root, again.root)
    run_session(config, again, 2, on_step=lambda step: None)
    run_session(config, again, 3, on_step=lambda step: None)
    assert find_difference(trained, again) is None


def test_the_first_step_and_tensor_of_another_run_are_named(config, trained, tmp_path):
    """Oracle: a run of another peak rate. The first step of the warm-up has rate 0, so the second is the first."""
    other = RunFiles(root=tmp_path / "other")
    run_session(replace(config, optim=replace(config.optim, lr=0.5)), other, 3, on_step=lambda step: None)
    difference = find_difference(trained, other)
    assert difference is not None
    assert difference.step == 2
    assert difference.tensors[0] == "weights of token_embeddings.weight"
    assert difference.figures == ("lr 0.0005 and 0.25",)
    described = str(with_first_tensor(difference, trained, other))
    assert "step 2 " in described
    assert "weights of token_embeddings.weight: " in described
    assert f"{len(difference.tensors) - 1} other tensors" in described


def test_one_changed_number_of_a_checkpoint_is_found(trained, copy):
    def change(tensors, metadata):
        tensors["optimizer.lm_head.weight.exp_avg"][3, 5] += 1.0

    change_checkpoint(copy, change)
    difference = find_difference(trained, copy)
    assert difference is not None
    assert (difference.step, difference.tensors) == (3, ("optimizer state lm_head.weight.exp_avg",))
    assert "1 of 2,160 numbers, at most by 1, at [3, 5]" in str(with_first_tensor(difference, trained, copy))


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("samples_consumed",), 13, "position in the data"),
        (("rng", "torch"), "", "random state"),
        (("meter", "losses"), [1.0], "losses"),
        (("data", "train"), "0" * 64, "data"),
    ],
)
def test_other_state_of_a_checkpoint_is_found(trained, copy, keys, value, named):
    def change(tensors, metadata):
        state = json.loads(metadata["state"])
        inner = state
        for key in keys[:-1]:
            inner = inner[key]
        # One bit of a generator's state; anything else would be refused when it is read.
        inner[keys[-1]] = value or "0" + inner[keys[-1]][1:-1] + "0"
        metadata["state"] = json.dumps(state)

    change_checkpoint(copy, change)
    difference = find_difference(trained, copy)
    assert difference is not None
    assert named in str(difference)


def test_another_loss_in_the_records_is_found(trained, copy):
    metrics = RunDirectory(copy.root).metrics
    lines = metrics.read_text().splitlines()
    record = json.loads(lines[1])
    was, record["loss"] = record["loss"], math.nextafter(record["loss"], 9.0)
    metrics.write_text("\n".join([lines[0], json.dumps(record), *lines[2:]]) + "\n")
    difference = find_difference(trained, copy)
    assert difference is not None
    assert (difference.step, difference.figures) == (2, (f"loss {was!r} and {record['loss']!r}",))


def test_a_missing_record_is_found(trained, copy):
    metrics = RunDirectory(copy.root).metrics
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:2]))
    difference = find_difference(trained, copy)
    assert difference is not None
    assert difference.step == 3


ONE = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("place", "value", "facts"),
    [
        ((1, 2), math.nextafter(1.0, 2.0), None),  # float32 rounds it back to 1
        ((1, 2), 1 + 2**-23, ["1 of 6", "1.19e-07", "[1, 2]", "1.0 and 1.0000001192092896"]),
        ((0, 1), math.nan, ["1 of 6", "inf", "[0, 1]", "nan"]),
        ((0, 1), -math.inf, ["1 of 6", "inf", "[0, 1]"]),
    ],
)
def test_a_difference_is_described_by_its_size_and_place(place, value, facts):
    """Derived by hand."""
    other = ONE.clone()
    other[place] = value
    described = describe_tensor(ONE, other)
    assert bool(described) == (facts is not None)
    assert all(fact in described for fact in facts or [])


def test_bits_count_not_values():
    """Oracle: the bits of IEEE 754: 0 and -0 are equal and differ, a NaN equals no NaN and may have its bits."""
    zero, nan = torch.zeros(3), torch.full((2,), math.nan)
    assert "3 of 3 numbers, at most by 0, at [0] (0.0 and -0.0)" in describe_tensor(zero, -zero)
    assert describe_tensor(nan, nan.clone()) == ""
    assert describe_tensor(torch.tensor(1.5), torch.tensor(2.0)).endswith("at most by 0.5, at [] (1.5 and 2.0)")
    assert "(3,)" in describe_tensor(zero, torch.zeros(4))


def test_the_last_checkpoint_is_the_one_compared(trained):
    assert Checkpoint.open(RunDirectory(trained.root).list_checkpoints()[-1]).iteration == 3
