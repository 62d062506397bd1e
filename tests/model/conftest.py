"""What the tests of the model share."""

import pytest
import torch


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
