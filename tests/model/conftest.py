"""What the tests of the model share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SOURCE = Path(__file__).resolve().parents[2] / "src"


class ListStore:
    """The simplest `KeyValueStore`: concatenation."""

    def __init__(self):
        self.layers = {}

    def extend(self, layer_index, key_BHTK, value_BHTK):
        if layer_index in self.layers:
            keys, values = self.layers[layer_index]
            key_BHTK, value_BHTK = torch.cat((keys, key_BHTK), dim=2), torch.cat((values, value_BHTK), dim=2)
        self.layers[layer_index] = key_BHTK, value_BHTK
        return *self.layers[layer_index], None


@pytest.fixture
def list_store():
    return ListStore()


@pytest.fixture
def run_without_hook():
    """Run a program in a process of its own, without the hook that checks shapes in tests; return what it prints."""

    def run(program):
        paths = os.pathsep.join(path for path in (str(SOURCE), os.environ.get("PYTHONPATH")) if path)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
