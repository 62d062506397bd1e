"""Chinchilla's second approach, parabolas through runs of equal compute, and its bias on runs without noise.

At each budget of 6 N D FLOPs a parabola of the loss over log N gives the best N; a line through log N_best over
log FLOPs gives its exponent. A parabola is the law's Taylor polynomial of second order: unless alpha = beta, its
minimum is next to the law's. Where every budget's sizes are centred on the best N, all minima are off by one factor and
the exponent is right; where the centre drifts, as with one set of sizes for all budgets, the exponent is wrong too.

Source: Hoffmann et al. 2022, arXiv:2203.15556, section 3.2; its bias: Czech et al. 2026, arXiv:2603.22339.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from homespun.errors import ConfigError
from homespun.experiments.scaling import Array, ScalingLaw, ScalingRun

_SAME_BUDGET = 0.05
"""Runs whose logarithms of 6 N D differ by less are of one budget: steps and widths are whole numbers."""


@dataclass(frozen=True, kw_only=True)
class IsoflopFit:
    """What the second approach infers."""

    budgets: list[float]
    """FLOPs, 6 N D."""
    best_sizes: list[float]
    """The minimum of each budget's parabola."""
    best_losses: list[float]
    size_exponent: float
    """a of N_best ~ FLOPs^a."""
    log_size_at_one: float
    """The line's log N at log FLOPs = 0."""
    num_left_out: int
    """Budgets with fewer than three sizes, or whose parabola has no minimum."""

    def best_size(self, flops: float) -> float:
        return float(np.exp(self.log_size_at_one + self.size_exponent * np.log(flops)))


def group_by_budget(runs: Sequence[ScalingRun]) -> list[list[ScalingRun]]:
    """Return runs of equal 6 N D together, budgets ascending."""
    groups: dict[int, list[ScalingRun]] = defaultdict(list)
    ordered = sorted(runs, key=lambda run: run.num_parameters * run.tokens)
    index, begin = -1, -np.inf
    for run in ordered:
        log_flops = float(np.log(6 * run.num_parameters * run.tokens))
        if log_flops - begin > _SAME_BUDGET:
            index, begin = index + 1, log_flops
        groups[index].append(run)
    return [*groups.values()]


def fit_isoflop(runs: Sequence[ScalingRun]) -> IsoflopFit:
    """Infer the best size of each budget by a parabola, and its exponent by a line.

    Raises:
        ConfigError: fewer than two budgets have a parabola with a minimum.
    """
    budgets, best_sizes, best_losses, num_left_out = [], [], [], 0
    for group in group_by_budget(runs):
        log_sizes = np.log([run.num_parameters for run in group])
        if len(np.unique(log_sizes)) < 3:
            num_left_out += 1
            continue
        middle = log_sizes.mean()
        curvature, slope, constant = np.polyfit(log_sizes - middle, [run.loss for run in group], 2)
        if curvature <= 0:
            num_left_out += 1
            continue
        budgets.append(float(np.exp(np.mean([np.log(6 * run.num_parameters * run.tokens) for run in group]))))
        best_sizes.append(float(np.exp(middle - slope / (2 * curvature))))
        best_losses.append(float(constant - slope**2 / (4 * curvature)))
    if len(budgets) < 2:
        raise ConfigError(
            f"{len(runs)} runs have {len(budgets)} budget(s) of 6 N D with at least three sizes and a minimum between "
            "them; the second approach needs two: plan runs of equal N D"
        )
    exponent, at_one = np.polyfit(np.log(budgets), np.log(best_sizes), 1)
    return IsoflopFit(
        budgets=budgets,
        best_sizes=best_sizes,
        best_losses=best_losses,
        size_exponent=float(exponent),
        log_size_at_one=float(at_one),
        num_left_out=num_left_out,
    )


def isoflop_runs(
    law: ScalingLaw, budgets: Sequence[float], *, width: float, num_sizes: int, drift: float = 0.0
) -> list[ScalingRun]:
    """Return runs that obey `law` exactly: at each budget, sizes even in log N around the best.

    Args:
        law: The truth.
        budgets: FLOPs, 6 N D.
        width: The largest N is `width` times the middle one, and the smallest a `width`-th of it.
        num_sizes: Sizes for each budget.
        drift: How far the middle moves from the best N, from the first budget (by a factor of exp(drift) above it) to
            the last (as far below); 0: centred at every budget.
    """
    runs = []
    positions = np.linspace(1, -1, len(budgets)) if len(budgets) > 1 else np.zeros(1)
    for flops, position in zip(budgets, positions, strict=True):
        middle = float(np.log(law.best_size(flops))) + drift * position
        sizes: Array = np.exp(middle + np.linspace(-1, 1, num_sizes) * np.log(width))
        for size in sizes:
            tokens = flops / (6 * size)
            runs.append(ScalingRun(num_parameters=float(size), tokens=tokens, loss=float(law.loss(size, tokens))))
    return runs
