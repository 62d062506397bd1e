"""The scaling law L(N, D) = E + A N^-alpha + B D^-beta, fitted to runs by variable projection.

For given exponents the law is linear in E, A and B, so that the search is over the two exponents alone: a grid, which
is moved and refined until it is as fine as float64. At each point E, A, B >= 0 minimise the Huber loss of the error of
log L by iteratively reweighted non-negative least squares. Nothing depends on where a search begins.

R is replicates (bootstrap samples of the runs), G grid points, M runs.

Source: the law and the Huber loss on log L: Hoffmann et al. 2022, arXiv:2203.15556, section 3.3 and appendix D.2 (they
search all five parameters by L-BFGS from many starts). Variable projection: Czech et al. 2026, arXiv:2603.22339 (they
use squares of L in place of the Huber loss).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np
import numpy.typing as npt

from homespun.errors import ConfigError

Array = npt.NDArray[np.float64]

HUBER_DELTA = 1e-3
"""Errors of log L beyond this count linearly. Source: Hoffmann et al. 2022, section 3.3."""

MIN_EXPONENT, MAX_EXPONENT = 0.01, 3.0
_MAX_ROUNDS = 80
_FREE = [list(free) for size in (2, 1) for free in combinations(range(3), size)]
"""Which of E, A and B are not held at zero where not all are positive."""


@dataclass(frozen=True)
class _Search:
    """How finely the exponents are searched; lengths are in the logarithm of an exponent."""

    half_width: float
    """Of the first grid."""
    side: int
    """Grid points in a row, an odd number: the centre is one of them."""
    shrink: float
    finest: float
    num_reweightings: int
    """Steps of reweighting at each grid point."""


_WHOLE_RANGE = _Search(
    half_width=float(np.log(MAX_EXPONENT / MIN_EXPONENT)) / 2, side=11, shrink=0.35, finest=1e-9, num_reweightings=25
)
_NEARBY = _Search(half_width=0.3, side=3, shrink=0.5, finest=1e-3, num_reweightings=10)
"""From the fit of all runs to that of a sample of them; an interval needs no more than three digits."""


@dataclass(frozen=True, kw_only=True)
class ScalingRun:
    """One trained model: what it was given, and what it reached."""

    num_parameters: float
    """N, as the law is to count them: with the embedding tables or without."""
    tokens: float
    """D, tokens trained on."""
    loss: float
    """Final validation loss, in the units that E is to have."""


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """L(N, D) = E + A N^-alpha + B D^-beta."""

    e: float
    """The irreducible loss: what an infinite model reaches on infinite data."""
    a: float
    b: float
    alpha: float
    beta: float

    def loss(self, num_parameters: Array | float, tokens: Array | float) -> Array:
        """Return the loss of models of N parameters after D tokens."""
        size, data = np.asarray(num_parameters, dtype=float), np.asarray(tokens, dtype=float)
        return np.asarray(self.e + self.a * size**-self.alpha + self.b * data**-self.beta)

    def best_size(self, flops: Array | float) -> Array:
        """Return the N of least loss where 6 N D is `flops`. Source: Hoffmann et al. 2022, eq. 4."""
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        return np.asarray(ratio * (np.asarray(flops, dtype=float) / 6) ** self.size_exponent)

    @property
    def size_exponent(self) -> float:
        """The exponent a of N_best ~ FLOPs^a: beta / (alpha + beta)."""
        return self.beta / (self.alpha + self.beta)


@dataclass(frozen=True, kw_only=True)
class ScalingFit:
    """The law that fits runs best, and how well the runs determine it."""

    law: ScalingLaw
    objective: float
    """Sum of the Huber losses of the errors of log L."""
    rms_error: float
    """Root of the mean squared error of log L: about the relative error of a predicted loss."""
    at_bound: bool
    """Whether an exponent is at the end of the range searched, so that the runs do not determine it."""
    intervals: dict[str, tuple[float, float]]
    """By parameter of the law and "size_exponent": the 95 % percentile interval over bootstrap samples of the runs."""
    num_bootstrap: int


def fit_scaling_law(runs: Sequence[ScalingRun], *, num_bootstrap: int = 200, seed: int = 0) -> ScalingFit:
    """Fit the law to `runs`, with intervals from fits to `num_bootstrap` samples of the runs with replacement.

    Raises:
        ConfigError: there are fewer than five runs, fewer than three sizes or token counts, or a value is not
            positive and finite.
    """
    sizes, tokens, losses = _arrays(runs)
    weights = np.ones((1, len(runs)))
    middle = np.full((1, 2), np.log(MIN_EXPONENT * MAX_EXPONENT) / 2)
    theta, exponents, objective = _fit(sizes, tokens, losses, weights, middle, _WHOLE_RANGE)
    law = _law(theta[0], exponents[0])
    errors = np.log(losses) - np.log(law.loss(sizes, tokens))
    intervals = {}
    if num_bootstrap:
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=num_bootstrap).astype(float)
        # A sample of one size or one token count alone says nothing about an exponent.
        told = [row for row in counts if _is_told(sizes[row > 0], tokens[row > 0])]
        starts = np.repeat(np.log(exponents), len(told), axis=0)
        thetas, all_exponents, _ = _fit(sizes, tokens, losses, np.array(told), starts, _NEARBY)
        laws = [_law(*found) for found in zip(thetas, all_exponents, strict=True)]
        names = [*(field.name for field in fields(ScalingLaw)), "size_exponent"]
        for name in names:
            low, high = np.percentile([getattr(each, name) for each in laws], [2.5, 97.5])
            intervals[name] = (float(low), float(high))
        num_bootstrap = len(told)
    return ScalingFit(
        law=law,
        objective=float(objective[0]),
        rms_error=float(np.sqrt(np.mean(errors**2))),
        at_bound=bool(np.any((exponents[0] <= MIN_EXPONENT) | (exponents[0] >= MAX_EXPONENT))),
        intervals=intervals,
        num_bootstrap=num_bootstrap,
    )


def _arrays(runs: Sequence[ScalingRun]) -> tuple[Array, Array, Array]:
    columns = [np.array([getattr(run, field.name) for run in runs], dtype=float) for field in fields(ScalingRun)]
    for field, column in zip(fields(ScalingRun), columns, strict=True):
        bad = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
        if len(bad):
            raise ConfigError(
                f"runs[{bad[0]}].{field.name} = {column[bad[0]]}: expected a positive number; leave out runs that "
                "diverged"
            )
    sizes, tokens, losses = columns
    if len(runs) < 5 or not _is_told(sizes, tokens):
        raise ConfigError(
            f"{len(runs)} runs of {len(np.unique(sizes))} sizes and {len(np.unique(tokens))} token counts: a law of "
            "five parameters needs at least 5 runs, 3 sizes and 3 token counts"
        )
    return sizes, tokens, losses


def _is_told(sizes: Array, tokens: Array) -> bool:
    return min(len(np.unique(sizes)), len(np.unique(tokens))) >= 3


def _law(theta: Array, exponents: Array) -> ScalingLaw:
    return ScalingLaw(
        e=float(theta[0]),
        a=float(theta[1]),
        b=float(theta[2]),
        alpha=float(exponents[0]),
        beta=float(exponents[1]),
    )


def _fit(
    sizes: Array, tokens: Array, losses: Array, weights_RM: Array, center_R2: Array, search: _Search
) -> tuple[Array, Array, Array]:
    """Return E, A, B; the exponents; and the objective of each replicate; `center_R2` has logarithms of exponents."""
    # Powers of N / its geometric mean are of the order of 1, whatever the exponent, so that the solve stays exact.
    scales = np.exp(np.log(sizes).mean()), np.exp(np.log(tokens).mean())
    logs = np.log(sizes / scales[0]), np.log(tokens / scales[1])
    num_replicates = len(weights_RM)
    center_R2, half_R = center_R2.copy(), np.full(num_replicates, search.half_width)
    offsets = np.linspace(-1, 1, search.side)
    grid_G2 = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 2)
    theta_R3, objective_R = np.zeros((num_replicates, 3)), np.full(num_replicates, np.inf)
    for _ in range(_MAX_ROUNDS):
        active = np.flatnonzero(half_R > search.finest)
        if not len(active):
            break
        points_RG2 = center_R2[active, None] + half_R[active, None, None] * grid_G2
        points_RG2 = np.clip(points_RG2, np.log(MIN_EXPONENT), np.log(MAX_EXPONENT))
        theta_RG3, objective_RG = _project(
            logs, losses, np.exp(points_RG2), weights_RM[active], search.num_reweightings
        )
        best = objective_RG.argmin(axis=1)
        rows = np.arange(len(active))
        better = objective_RG[rows, best] < objective_R[active]
        # The centre itself is a grid point, so that no round loses what the one before found.
        center_R2[active[better]] = points_RG2[rows, best][better]
        theta_R3[active[better]] = theta_RG3[rows, best][better]
        objective_R[active[better]] = objective_RG[rows, best][better]
        # A minimum at the grid's edge moves the grid, which then keeps its size: the valley may be long and narrow.
        inside = np.abs(grid_G2[best]).max(axis=1) < 1 - 1e-9
        half_R[active] *= np.where(inside | ~better, search.shrink, 1.0)
    exponents_R2 = np.exp(center_R2)
    theta_R3[:, 1:] *= np.array(scales) ** exponents_R2
    return theta_R3, exponents_R2, objective_R


def _project(
    logs: tuple[Array, Array], losses: Array, exponents_RG2: Array, weights_RM: Array, num_reweightings: int
) -> tuple[Array, Array]:
    """Return the best E, A, B >= 0 at each grid point, and the objective there."""
    columns = [np.exp(-exponents_RG2[..., i, None] * logs[i]) for i in range(2)]
    design_RGM3 = np.stack([np.ones_like(columns[0]), *columns], axis=-1)
    # First by squares of relative errors, which are those of log L to first order.
    weights_RGM = np.broadcast_to(weights_RM[:, None], columns[0].shape)
    theta_RG3 = _solve_nonnegative(design_RGM3 / losses[:, None], np.ones_like(losses), weights_RGM)
    for _ in range(num_reweightings):
        predicted = np.maximum((design_RGM3 @ theta_RG3[..., None])[..., 0], 1e-300)
        errors = np.log(losses) - np.log(predicted)
        # Gauss-Newton on log L, with the weights that make squares into the Huber loss: 1 for small errors,
        # delta / |error| for large ones.
        huber = np.minimum(1.0, HUBER_DELTA / np.maximum(np.abs(errors), 1e-300))
        slopes = design_RGM3 / predicted[..., None]
        new_RG3 = _solve_nonnegative(slopes, 1 + errors, weights_RGM * huber)
        change = np.abs(new_RG3 - theta_RG3).max(axis=-1) / (np.abs(theta_RG3).max(axis=-1) + 1e-300)
        theta_RG3 = new_RG3
        if change.max() < 1e-12:
            break
    predicted = np.maximum((design_RGM3 @ theta_RG3[..., None])[..., 0], 1e-300)
    return theta_RG3, (weights_RM[:, None] * _huber(np.log(losses) - np.log(predicted))).sum(axis=-1)


def _huber(errors: Array) -> Array:
    size = np.abs(errors)
    return np.where(size <= HUBER_DELTA, size**2 / 2, HUBER_DELTA * (size - HUBER_DELTA / 2))


def _solve_nonnegative(design: Array, target: Array, weights: Array) -> Array:
    """Return the x >= 0 of least sum(weights (design x - target)^2), for each of many problems of three unknowns.

    The solution is that of ordinary least squares in some subset of the unknowns, the others held at zero. Where the
    solution in all three has no negative value, it is that one. Elsewhere all subsets are solved and the best taken.
    """
    weighted = design * weights[..., None]
    gram = weighted.swapaxes(-1, -2) @ design
    right = (weighted * np.broadcast_to(target, weights.shape)[..., None]).sum(axis=-2)
    best, best_value = _solve_free(gram, right, [0, 1, 2])
    rest = ~np.isfinite(best_value)
    if rest.any():
        gram, right = gram[rest], right[rest]
        found, found_value = np.zeros(right.shape), np.zeros(len(right))  # of x = 0
        for free in _FREE:
            other, value = _solve_free(gram, right, free)
            found = np.where((value < found_value)[:, None], other, found)
            found_value = np.minimum(value, found_value)
        best[rest] = found
    return best


def _solve_free(gram: Array, right: Array, free: list[int]) -> tuple[Array, Array]:
    """Return the least squares in the unknowns `free`, and x gram x - 2 right x; infinite where one is negative."""
    part, side = gram[..., free, :][..., free], right[..., free]
    # A trace of the diagonal keeps two equal columns (an exponent near 0) from being singular.
    ridge = 1e-15 * np.trace(part, axis1=-2, axis2=-1)[..., None, None] * np.eye(len(free))
    found = np.linalg.solve(part + ridge, side[..., None])[..., 0]
    value = ((part @ found[..., None])[..., 0] * found).sum(axis=-1) - 2 * (side * found).sum(axis=-1)
    full = np.zeros(right.shape)
    full[..., free] = found
    return full, np.where((found >= 0).all(axis=-1), value, np.inf)
