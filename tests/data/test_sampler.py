"""The sampler's edges; its properties are in test_sampler_property.py."""

import numpy as np
import pytest

from homespun.data import WindowSampler
from homespun.errors import ConfigError, DataError
from refusals import refuses


def test_the_first_samples_stay_what_they_are():
    """Golden: made on 2026-11-21 by this call. A change would break every run that is to be resumed."""
    sampler = WindowSampler(np.arange(1000), context_length=64, seed=7)
    assert sampler.starts(0, 6).tolist() == [43, 427, 555, 363, 619, 299]


def test_targets_are_inputs_one_token_further():
    """Oracle: data that count up, so that every target is its input plus 1."""
    inputs, targets = WindowSampler(np.arange(1000, dtype=np.uint16), 10, seed=0).batch(0, 32)
    assert inputs.shape == targets.shape == (32, 10)
    assert inputs.dtype == targets.dtype == np.int64
    np.testing.assert_array_equal(targets, inputs + 1)


def test_windows_span_shards(make_dataset):
    """Oracle: the same sampler over the same ids in one array."""
    dataset = make_dataset("in the end " * 40, shard_bytes=20)
    for found, expected in zip(
        WindowSampler(dataset, 16, seed=3).batch(5, 20),
        WindowSampler(dataset[:], 16, seed=3).batch(5, 20),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("num_tokens", [11, 12, 20, 21, 22])
def test_the_smallest_data_still_give_windows(num_tokens):
    """11 tokens hold one window of 10 and its last target, at one offset only."""
    sampler = WindowSampler(np.arange(num_tokens), 10, seed=0)
    starts = sampler.starts(0, 200)
    assert starts.min() >= 0
    assert starts.max() + 10 < num_tokens
    assert all(sampler.num_windows(epoch) >= 1 for epoch in range(100))


def test_too_little_data_and_bad_numbers_are_refused():
    with refuses(DataError, "context_length = 10", 11):
        WindowSampler(np.arange(10), 10, seed=0)
    with refuses(ConfigError, "context_length = 0"):
        WindowSampler(np.arange(10), 0, seed=0)
    sampler = WindowSampler(np.arange(100), 10, seed=0)
    with refuses(ConfigError, "batch_size = 0"):
        sampler.batch(0, 0)
    with refuses(ConfigError, "samples_consumed = -1"):
        sampler.batch(-1, 1)


def test_repr_is_one_line_with_the_sizes():
    assert repr(WindowSampler(np.arange(3000), context_length=8, seed=1)) == (
        "WindowSampler(3,000 tokens, context_length=8, seed=1)"
    )
