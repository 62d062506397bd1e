"""Differences between runs that share their seeds, with intervals, and what such an experiment could have shown.

Runs with the same seed share the order of the data and, as far as shapes allow, the initial weights, so that much of
their noise is the same: the difference of a pair has less of it than either run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from homespun.sweeps import Verdict

CONFIDENCE = 0.95
POWER = 0.8
"""Probability with which a difference of `smallest_visible` shows."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """A variant minus the baseline, over the seeds that both have."""

    num_pairs: int
    mean: float
    low: float | None
    """95 % t-interval of the mean; None for fewer than two pairs."""
    high: float | None
    smallest_visible: float | None
    """The smallest true difference that so many pairs of this spread show in four of five experiments."""


def compare_pairs(variant: Mapping[int, float], baseline: Mapping[int, float]) -> PairedDifference | None:
    """Compare two groups of runs, given by their seeds; None where they share no seed.

    Source: Student 1908; the smallest visible difference is (t(0.975) + t(0.8)) s / sqrt(n) with n - 1 degrees of
    freedom, the usual approximation of the power of a t-test.
    """
    differences = [variant[seed] - baseline[seed] for seed in sorted(variant.keys() & baseline.keys())]
    if not differences:
        return None
    center, num_pairs = mean(differences), len(differences)
    if num_pairs < 2:
        return PairedDifference(num_pairs=num_pairs, mean=center, low=None, high=None, smallest_visible=None)
    error = stdev(differences) / sqrt(num_pairs)
    reach = t_quantile((1 + CONFIDENCE) / 2, num_pairs - 1)
    return PairedDifference(
        num_pairs=num_pairs,
        mean=center,
        low=center - reach * error,
        high=center + reach * error,
        smallest_visible=(reach + t_quantile(POWER, num_pairs - 1)) * error,
    )


def judge(difference: PairedDifference | None, *, lower_is_better: bool) -> Verdict:
    """Say what a difference shows: an interval that contains 0 shows nothing."""
    if difference is None or difference.low is None or difference.high is None:
        return "too few runs"
    if difference.low <= 0 <= difference.high:
        return "no visible difference"
    return "better" if (difference.mean < 0) == lower_is_better else "worse"


def noise_floor(values: Sequence[float]) -> float | None:
    """Return the standard deviation over the baseline's seeds; None for fewer than two."""
    return stdev(values) if len(values) > 1 else None


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t-distribution."""
    # Imported here: scipy takes a while to load, and a worker does not need it.
    from scipy.stats import t

    return float(t.ppf(probability, degrees))
