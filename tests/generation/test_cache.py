from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homespun.generation.cache import KeyValueCache, window_start
from homespun.model.ops.reference import causal_mask

CPU = torch.device("cpu")


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_rows_in_step_equal_concatenating(lengths):
    """Oracle: torch.cat of everything that was given, for each of two layers."""
    cache = KeyValueCache(num_layers=2, capacity=sum(lengths))
    given_keys = [torch.empty(2, 3, 0, 4), torch.empty(2, 3, 0, 4)]
    generator = torch.Generator().manual_seed(0)
    for count in lengths:
        start = given_keys[0].shape[2]
        cache.begin([0, 1], [start, start], [count, count], CPU)
        for layer in range(2):
            new = torch.randn(2, 3, count, 4, generator=generator)
            given_keys[layer] = torch.cat([given_keys[layer], new], dim=2)
            keys, values, mask = cache.extend(layer, new, -new)
            assert torch.equal(keys, given_keys[layer])
            assert torch.equal(values, -given_keys[layer])
            assert mask is None
    assert cache.lengths == [sum(lengths)] * 2


class RowsApart:
    """A slow cache: a list of keys for each row."""

    def __init__(self):
        self.keys = {}

    def put(self, row, start, keys):
        self.keys[row] = [*self.keys.get(row, [])[:start], *keys]


@given(data=st.data())
def test_rows_of_their_own_lengths(data):
    """Oracle: a list for each row; a query sees exactly the keys up to its own."""
    num_rows, capacity = 3, 9
    cache, expected, value = KeyValueCache(1, capacity), RowsApart(), 0
    for _ in range(data.draw(st.integers(1, 6))):
        all_or_some = (
            st.just(list(range(num_rows)))
            if not cache.lengths
            else st.sets(st.integers(0, num_rows - 1), min_size=1).map(sorted)
        )
        rows = data.draw(all_or_some)
        starts = [data.draw(st.integers(0, min(len(expected.keys.get(row, [])), capacity - 3))) for row in rows]
        counts = [data.draw(st.integers(1, 3)) for _ in rows]
        length = max(counts)
        new = torch.full((len(rows), 1, length, 1), -1.0)
        for index, (row, start, count) in enumerate(zip(rows, starts, counts, strict=True)):
            fresh = [float(value + i) for i in range(count)]
            value += count
            new[index, 0, :count, 0] = torch.tensor(fresh)
            expected.put(row, start, fresh)
        positions = cache.begin(rows, starts, counts, CPU)
        keys, values, mask = cache.extend(0, new, new)
        assert torch.equal(keys, values)
        if mask is None:  # the queries are the last of the positions
            mask = causal_mask(length, keys.shape[2]).expand(len(rows), 1, -1, -1)
        for index, (row, start, count) in enumerate(zip(rows, starts, counts, strict=True)):
            assert positions[index, :count].tolist() == list(range(start, start + count))
            for query in range(count):
                assert keys[index, 0, mask[index, 0, query], 0].tolist() == expected.keys[row][: start + query + 1]
        assert cache.lengths == [len(expected.keys[row]) for row in range(num_rows)]


def test_kept_rows_are_renumbered():
    cache = KeyValueCache(num_layers=1, capacity=4)
    cache.begin([0, 1, 2], [0, 0, 0], [1, 2, 1], CPU)
    cache.extend(0, torch.tensor([[0.0, 9], [1, 2], [3, 9]])[:, None, :, None], torch.zeros(3, 1, 2, 1))
    cache.keep([1, 2])
    assert cache.lengths == [2, 1]
    cache.begin([0, 1], [2, 1], [1, 1], CPU)
    keys, _, mask = cache.extend(0, torch.tensor([7.0, 8])[:, None, None, None], torch.zeros(2, 1, 1, 1))
    assert [keys[row, 0, mask[row, 0, 0], 0].tolist() for row in (0, 1)] == [[1, 2, 7], [3, 8]]


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
