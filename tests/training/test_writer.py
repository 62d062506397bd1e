"""Checkpoints in the background. Oracle: the bytes that `save_checkpoint` writes at once."""

import errno
import os
import threading

import pytest
import torch

from homespun.checkpoint.checkpoint import CheckpointContent, save_checkpoint
from homespun.errors import StorageError
from homespun.optim import AdamW
from homespun.training.writer import CheckpointWriter
from refusals import refuses


@pytest.fixture
def writer():
    writer = CheckpointWriter()
    yield writer
    writer.close()


@pytest.fixture
def trained():
    model = torch.nn.Linear(8, 4)
    optimizer = AdamW(model.parameters(), lr=0.1, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    take_step(model, optimizer)
    return model, optimizer


def take_step(model, optimizer):
    model(torch.ones(2, 8)).sum().backward()
    optimizer.step()


def test_what_is_written_is_of_the_moment_it_was_begun(writer, trained, tmp_path):
    """A step is taken while the file is held back."""
    save_checkpoint(*trained, 1, tmp_path / "at once", state={"a": 1})
    go_on = threading.Event()
    writer.begin(CheckpointContent.of(*trained, 1, {"a": 1}), tmp_path / "later", before=go_on.wait)
    take_step(*trained)
    assert writer.take_written(wait=False) == []
    assert not (tmp_path / "later").exists()
    go_on.set()
    assert writer.take_written(wait=True) == [tmp_path / "later"]
    assert (tmp_path / "later").read_bytes() == (tmp_path / "at once").read_bytes()


def test_checkpoints_are_written_in_order_from_the_same_memory(writer, trained, tmp_path):
    seen = []
    for step in range(3):
        writer.begin(CheckpointContent.of(*trained, step, {}), tmp_path / str(step))
        seen.append({name: tensor.data_ptr() for name, tensor in writer._copy.tensors.items()})
        save_checkpoint(*trained, step, tmp_path / f"expected {step}")
        take_step(*trained)
    assert writer.take_written(wait=True) == [tmp_path / str(step) for step in range(3)]
    assert seen[0] == seen[1] == seen[2]
    for step in range(3):
        assert (tmp_path / str(step)).read_bytes() == (tmp_path / f"expected {step}").read_bytes()


def test_what_the_disk_refuses_is_told_with_the_next(writer, trained, tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer.begin(CheckpointContent.of(*trained, 1, {}), tmp_path / "1")
    assert writer.take_written(wait=True) == [tmp_path / "1"]
    monkeypatch.setattr(os, "fsync", refuse)
    writer.begin(CheckpointContent.of(*trained, 2, {}), tmp_path / "2")
    with refuses(StorageError, tmp_path / "2", "disk is full"):
        writer.begin(CheckpointContent.of(*trained, 3, {}), tmp_path / "3")
    monkeypatch.undo()
    writer.begin(CheckpointContent.of(*trained, 4, {}), tmp_path / "4")
    assert writer.take_written(wait=True) == [tmp_path / "4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "4"]
