"""What holds of the sampler whatever data, context, seed and batch sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homespun.data import WindowSampler
from homespun.data.permutation import FeistelPermutation

pytestmark = pytest.mark.property

# No deadline: how long an example takes says more about the machine than about the sampler.
unhurried = settings(deadline=None, max_examples=60)
SEEDS = st.integers(0, 2**63 - 1)


@st.composite
def samplers(draw) -> tuple[WindowSampler, int, int]:
    context_length = draw(st.integers(1, 40))
    num_tokens = draw(st.integers(context_length + 1, 2000))
    return WindowSampler(np.arange(num_tokens), context_length, draw(SEEDS)), context_length, num_tokens


@unhurried
@given(size=st.integers(1, 3000), seed=SEEDS)
def test_feistel_orders_are_permutations(size, seed):
    """Oracle: each of 0 ... size-1 comes once."""
    assert sorted(FeistelPermutation(size, seed)(np.arange(size)).tolist()) == list(range(size))


@unhurried
@given(size=st.integers(1, 2**62), seed=SEEDS, data=st.data())
def test_feistel_orders_stay_inside_and_do_not_collide(size, seed, data):
    """What can be seen of permutations too large to list."""
    positions = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=50, unique=True)))
    found = FeistelPermutation(size, seed)(positions)
    assert ((found >= 0) & (found < size)).all()
    assert len(set(found.tolist())) == len(positions)


def test_feistel_orders_look_random():
    """The mean distance of a random permutation's elements from their places is size / 3; neighbours part.

    By hand: over 10,000 elements its standard deviation is below 0.3 %, so 2 % is far outside chance.
    """
    size = 10_000
    for seed in range(5):
        order = FeistelPermutation(size, seed)(np.arange(size))
        assert abs(np.abs(order - np.arange(size)).mean() / (size / 3) - 1) < 0.02
        assert abs(np.abs(np.diff(order)).mean() / (size / 3) - 1) < 0.02


@unhurried
@given(samplers(), st.integers(0, 3))
def test_an_epoch_gives_every_window_once(case, epoch):
    """Oracle: the starts offset, offset + C, ... for which C + 1 tokens are left, sorted."""
    sampler, context_length, num_tokens = case
    consumed = sum(sampler.num_windows(earlier) for earlier in range(epoch))
    starts = sampler.starts(consumed, sampler.num_windows(epoch))
    offset = sampler.offset(epoch)
    assert 0 <= offset < context_length
    assert sorted(starts.tolist()) == list(range(offset, num_tokens - context_length, context_length))


@unhurried
@given(samplers(), st.lists(st.integers(1, 70), min_size=1, max_size=8), st.integers(0, 300))
def test_samples_do_not_depend_on_batch_sizes(case, batch_sizes, consumed):
    """Oracle: one batch of them all, which may run over several epochs."""
    sampler, _, _ = case
    whole = sampler.batch(consumed, sum(batch_sizes))
    pieces = []
    for batch_size in batch_sizes:
        pieces.append(sampler.batch(consumed, batch_size))
        consumed += batch_size
    for joined, expected in zip(map(np.concatenate, zip(*pieces, strict=True)), whole, strict=True):
        np.testing.assert_array_equal(joined, expected)


@unhurried
@given(samplers(), st.integers(0, 500))
def test_a_new_sampler_goes_on_where_another_stopped(case, consumed):
    """Position is the only state: a fresh object, asked for the same samples first thing, gives the same."""
    sampler, context_length, num_tokens = case
    seed = sampler._seed
    sampler.starts(0, 100)
    fresh = WindowSampler(np.arange(num_tokens), context_length, seed)
    np.testing.assert_array_equal(fresh.starts(consumed, 10), sampler.starts(consumed, 10))
