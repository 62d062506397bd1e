"""`get_batch` as the assignment's test-suite asks for it, and what it must refuse."""

from collections import Counter
from math import sqrt

import numpy as np
import pytest
import torch

from homespun.data import get_batch
from homespun.errors import ConfigError, DataError


def test_starts_are_uniform_over_all_that_have_a_next_token():
    """The assignment's check: every start of 100 - 7 occurs as often as chance has it, within 5 standard deviations."""
    torch.manual_seed(0)
    data, context_length, batch_size, num_iterations = np.arange(100), 7, 32, 1000
    starts: Counter[int] = Counter()
    for _ in range(num_iterations):
        inputs, targets = get_batch(data, batch_size, context_length, "cpu")
        assert inputs.shape == targets.shape == (batch_size, context_length)
        assert inputs.dtype == targets.dtype == torch.int64
        torch.testing.assert_close(inputs + 1, targets)
        starts.update(inputs[:, 0].tolist())
    num_starts = len(data) - context_length
    assert (min(starts), max(starts)) == (0, num_starts - 1)
    expected = num_iterations * batch_size / num_starts
    deviation = sqrt(num_iterations * batch_size * (1 / num_starts) * (1 - 1 / num_starts))
    assert all(abs(starts[start] - expected) < 5 * deviation for start in range(num_starts))


def test_an_absent_device_is_an_error():
    """The assignment's check that the device is used."""
    with pytest.raises((RuntimeError, AssertionError)):
        get_batch(np.arange(100), 2, 7, "cuda:99")


def test_memory_mapped_uint16_data_come_out_as_int64(tmp_path):
    """Ids above 32,767 must not turn negative."""
    np.save(tmp_path / "ids.npy", np.full(50, 65_535, np.uint16))
    inputs, targets = get_batch(np.load(tmp_path / "ids.npy", mmap_mode="r"), 4, 10, torch.device("cpu"))
    assert (inputs == 65_535).all()
    assert (targets == 65_535).all()


def test_the_seed_decides():
    torch.manual_seed(1)
    first = get_batch(np.arange(1000), 8, 16, "cpu")
    torch.manual_seed(1)
    torch.testing.assert_close(first, get_batch(np.arange(1000), 8, 16, "cpu"), rtol=0, atol=0)


def test_the_shortest_data_give_their_only_window():
    inputs, targets = get_batch(np.arange(8), 3, 7, "cpu")
    assert inputs.tolist() == [list(range(7))] * 3
    assert targets.tolist() == [list(range(1, 8))] * 3


def test_a_context_longer_than_the_data_is_refused():
    with pytest.raises(DataError, match="context_length = 7 needs at least 8 tokens, but the data hold 7"):
        get_batch(np.arange(7), 3, 7, "cpu")
    with pytest.raises(ConfigError, match="batch_size = 0"):
        get_batch(np.arange(100), 0, 7, "cpu")
