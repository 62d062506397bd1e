"""Paired differences. Oracles: scipy's paired t-test, simulation, derivations by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from homespun.experiments.statistics import compare_pairs, judge, noise_floor, t_quantile

values = st.lists(
    st.tuples(st.floats(0.5, 3, allow_subnormal=False), st.floats(0.5, 3, allow_subnormal=False)),
    min_size=2,
    max_size=8,
)


@pytest.mark.property
@given(values)
def test_the_interval_is_that_of_the_paired_t_test(pairs):
    """Oracle: scipy.stats.ttest_rel. Where all differences are equal it has no interval, and ours is a point."""
    variant, baseline = (dict(enumerate(column)) for column in zip(*pairs, strict=True))
    found = compare_pairs(variant, baseline)
    if len({variant[seed] - baseline[seed] for seed in variant}) == 1:
        assert found.low == pytest.approx(found.mean) == found.high
        return
    expected = stats.ttest_rel([*variant.values()], [*baseline.values()])
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    excludes_zero = found.low > 0 or found.high < 0
    if abs(expected.pvalue - 0.05) > 1e-6:
        assert (judge(found, lower_is_better=True) != "no visible difference") == excludes_zero
        assert excludes_zero == (expected.pvalue < 0.05)


def test_only_seeds_that_both_have_are_compared():
    """Oracle: by hand: (1.5 - 1) and (2.5 - 1), mean 1."""
    found = compare_pairs({0: 1.5, 1: 2.5, 7: 100.0}, {0: 1.0, 1: 1.0, 3: -100.0})
    assert (found.num_pairs, found.mean) == (2, 1.0)
    assert compare_pairs({0: 1.0}, {1: 1.0}) is None


def test_one_pair_shows_nothing():
    """Oracle: a t-interval needs two."""
    found = compare_pairs({0: 2.0}, {0: 1.0})
    assert (found.mean, found.low, found.high, found.smallest_visible) == (1.0, None, None, None)
    assert judge(found, lower_is_better=True) == judge(None, lower_is_better=True) == "too few runs"


def test_the_smallest_visible_difference_shows_in_four_of_five_experiments():
    """Oracle: simulation with the spread known. The formula is an approximation: 0.74 to 0.86 for 5 to 20 pairs."""
    draw = random.Random(0)
    for num_pairs in (5, 20):
        reach = t_quantile(0.975, num_pairs - 1) + t_quantile(0.8, num_pairs - 1)
        shift = reach / num_pairs**0.5  # of differences with standard deviation 1
        shown = 0
        for _ in range(1000):
            noise = {seed: draw.gauss(shift, 1) for seed in range(num_pairs)}
            shown += judge(compare_pairs(noise, dict.fromkeys(noise, 0.0)), lower_is_better=False) == "better"
        assert 740 <= shown <= 860, (num_pairs, shown)


def test_the_direction_decides():
    """Oracle: by hand."""
    found = compare_pairs({0: 2.0, 1: 2.1}, {0: 1.0, 1: 1.1})
    assert judge(found, lower_is_better=True) == "worse"
    assert judge(found, lower_is_better=False) == "better"


def test_the_noise_floor_is_the_standard_deviation():
    """Oracle: by hand: values 1, 2, 3 have the variance (1 + 0 + 1) / 2."""
    assert noise_floor([1.0, 2.0, 3.0]) == 1.0
    assert noise_floor([1.0]) is None
