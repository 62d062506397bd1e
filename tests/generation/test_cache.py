from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homespun.generation.cache import KeyValueCache, window_start


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_extending_equals_concatenating(lengths):
    """Oracle: torch.cat of everything that was given, for each of two layers."""
    cache = KeyValueCache(num_layers=2, capacity=sum(lengths))
    given_keys = [torch.empty(1, 3, 0, 4), torch.empty(1, 3, 0, 4)]
    generator = torch.Generator().manual_seed(0)
    for count in lengths:
        for layer in range(2):
            new = torch.randn(1, 3, count, 4, generator=generator)
            given_keys[layer] = torch.cat([given_keys[layer], new], dim=2)
            keys, values = cache.extend(layer, new, -new)
            assert torch.equal(keys, given_keys[layer])
            assert torch.equal(values, -given_keys[layer])
    assert cache.length == sum(lengths)


def test_cleared_cache_begins_anew():
    cache = KeyValueCache(num_layers=1, capacity=4)
    cache.extend(0, torch.ones(1, 1, 4, 2), torch.ones(1, 1, 4, 2))
    cache.clear()
    keys, _ = cache.extend(0, torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
    assert (cache.length, keys.shape) == (1, (1, 1, 1, 2))
    assert not keys.any()


def test_example_of_the_docstring():
    assert [window_start(n, 4) for n in range(1, 9)] == [0, 0, 0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize("context_length", [1, 2, 3, 8, 255, 256])
def test_window_holds_between_half_and_all_of_the_context(context_length):
    starts = [window_start(num_tokens, context_length) for num_tokens in range(1, 5 * context_length)]
    for num_tokens, start in enumerate(starts, start=1):
        least = 1 if num_tokens <= context_length else context_length // 2 + 1
        assert least <= num_tokens - start <= context_length
    moves = sum(before != after for before, after in pairwise(starts))
    assert moves <= 4 * context_length / ((context_length + 1) // 2) + 1
