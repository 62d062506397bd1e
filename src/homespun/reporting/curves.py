"""What the charts draw: one curve for each run of a report, or the mean and range over the seeds of a sweep's variant.

Long runs are thinned out: a page holds some 25,000 points of training, whatever the number of runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from homespun.records import TrainRecord, ValidationRecord
from homespun.reporting.palette import color_and_dash
from homespun.reporting.run import ReportedRun

Floats = npt.NDArray[np.float64]
Points = dict[str, list[float | None]]
"""Columns of equal length: step, tokens, seconds and what was measured; None where there is nothing to draw."""

LARGEST_SHOWN = 1e30
_MAX_POINTS = 24_000
_MAX_POINTS_OF_A_CURVE = 1000
_LEAST_POINTS_OF_A_CURVE = 60
_SMOOTHED_SHARE = 0.02
"""Half width of the moving mean, as a share of the records."""
_LEAST_HALF_WIDTH = 3
_MAX_CURVES_WITH_RAW_VALUES = 3
_MEASURES = ("loss", "lr", "norm", "rate")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One entry of the legend with everything that is drawn of it."""

    name: str
    color: int
    dash: int
    budget: str | None = None
    """What its runs have spent equally with those it is compared with; None outside of a sweep."""
    runs: Sequence[ReportedRun] = field(repr=False)
    train: Points
    raw: Points | None
    valid: Points
    end: Points
    """The last validation of the whole set."""
    flops: float | None
    bits: float | None
    """Bits per byte of one nat per token."""
    entropy: float | None
    """Exact bits per byte of the validation text."""

    def as_json(self) -> dict[str, Any]:
        """Return what `page/view.js` reads."""
        tokens, steps = self.train["tokens"], self.train["step"]
        every = tokens[-1] / steps[-1] if steps and steps[-1] and tokens[-1] is not None else 0.0
        proportional = bool(every) and all(
            token == step * every for token, step in zip(tokens, steps, strict=True) if step is not None
        )
        named = {"train": self.train, "raw": self.raw, "valid": self.valid, "end": self.end}
        return {
            "name": self.name, "color": self.color, "dash": self.dash, "budget": self.budget, "flops": self.flops,
            "bits": self.bits, "entropy": self.entropy, "tokens_per_step": every,
            **{name: _without_tokens(points) if proportional and points and name in {"train", "raw"} else points
               for name, points in named.items() if points and points["step"]},
        }  # fmt: skip


def make_curves(groups: Sequence[tuple[str, str | None, int, Sequence[ReportedRun]]]) -> list[Curve]:
    """Return a curve for each group (name, budget, number of its color, runs with different seeds)."""
    num_points = min(_MAX_POINTS_OF_A_CURVE, max(_LEAST_POINTS_OF_A_CURVE, _MAX_POINTS // max(1, len(groups))))
    with_raw = len(groups) <= _MAX_CURVES_WITH_RAW_VALUES
    return [_make_curve(*group, num_points=num_points, with_raw=with_raw) for group in groups]


def count_not_shown(run: ReportedRun) -> int:
    """Return how many of the run's values are not finite or too large to draw."""
    values = [value for record in run.train for value in (record.loss, record.lr, record.grad_norm)]
    values += [value for record in run.validation for value in (record.loss, record.bits_per_byte)]
    return sum(not abs(value) < LARGEST_SHOWN for value in values)


def smooth(values: Floats) -> Floats:
    """Return the moving mean.

    Its window shrinks to one value towards the beginning, where a loss falls too fast for any mean. At the end only its
    right half is cut off: a last value alone would be the noise of one batch, right where curves are compared.
    """
    size = len(values)
    index = np.arange(size)
    half = max(round(size * _SMOOTHED_SHARE), min(_LEAST_HALF_WIDTH, size // 8))
    left = np.minimum(index, half)
    right = np.minimum(left, size - 1 - index)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[index + right + 1] - sums[index - left]) / (left + right + 1)


def _make_curve(
    name: str, budget: str | None, number: int, runs: Sequence[ReportedRun], *, num_points: int, with_raw: bool
) -> Curve:
    color, dash = color_and_dash(number)
    columns = [_columns_of(run.train) for run in runs]
    columns = [column for column in columns if len(column["step"])]
    train = _mean_of(columns, num_points) if columns else {"step": [], "tokens": []}
    first = runs[0]
    whole_only = all(record.whole for run in runs for record in run.validation)
    flops = first.flops_per_token
    return Curve(
        name=name, color=color, dash=dash, budget=budget, runs=runs, train=train,
        raw=_extremes_of(columns[0], num_points) if with_raw and len(columns) == 1 else None,
        valid=_validation_points(
            [[record for record in run.validation if whole_only or not record.whole] for run in runs]
        ),
        end=_validation_points([[record for record in run.validation if record.whole][-1:] for run in runs]),
        flops=_shown(flops),
        bits=_shown(first.bits_per_nat),
        entropy=_shown(first.entropy.bits_per_byte if first.entropy else None),
    )  # fmt: skip


def _columns_of(records: Sequence[TrainRecord]) -> dict[str, Floats]:
    values = np.array(
        [(r.step, r.tokens, r.seconds, r.loss, r.lr, r.grad_norm, r.tokens_per_second) for r in records], dtype=float
    ).reshape(-1, 7)
    values = values[np.abs(values[:, 3]) < LARGEST_SHOWN]
    values[~(np.abs(values) < LARGEST_SHOWN)] = np.nan
    return dict(zip(("step", "tokens", "seconds", *_MEASURES), values.T, strict=True))


def _mean_of(columns: Sequence[dict[str, Floats]], num_points: int) -> Points:
    """Return the mean over runs of their smoothed values, with the least and the greatest where there are several."""
    first = columns[0]
    end = min(column["step"][-1] for column in columns)
    grid = first["step"][first["step"] <= end]
    chosen = _spread(len(grid), num_points)
    points: Points = {name: _to_list(first[name][chosen]) for name in ("step", "tokens")}
    seconds = [np.interp(grid[chosen], column["step"], column["seconds"]) for column in columns]
    points["seconds"] = _to_list(np.mean(seconds, axis=0))
    for measure in _MEASURES:
        smoothed = [np.interp(grid[chosen], c["step"], _smooth_if_noisy(measure, c[measure])) for c in columns]
        points[measure] = _to_list(np.mean(smoothed, axis=0))
        if len(columns) > 1 and measure == "loss":
            points["loss_low"] = _to_list(np.min(smoothed, axis=0))
            points["loss_high"] = _to_list(np.max(smoothed, axis=0))
    return points


def _smooth_if_noisy(measure: str, values: Floats) -> Floats:
    return values if measure == "lr" or np.isnan(values).any() else smooth(values)


def _spread(size: int, num_points: int) -> npt.NDArray[np.intp]:
    """Return at most `num_points` indices, half evenly spread and half geometrically, for a logarithmic axis."""
    if size <= num_points:
        return np.arange(size)
    even = np.linspace(0, size - 1, num_points // 2)
    geometric = np.geomspace(1, size, num_points // 2) - 1
    return np.unique(np.rint(np.concatenate([even, geometric])).astype(np.intp))


def _extremes_of(column: dict[str, Floats], num_points: int) -> Points:
    """Return the raw values of a run by the extremes of its loss and norm in each of some hundred buckets."""
    size = len(column["step"])
    chosen: set[int] = set()
    for bucket in np.array_split(np.arange(size), min(size, max(1, num_points // 3))):
        norms = np.nan_to_num(column["norm"][bucket])
        chosen |= {int(bucket[at]) for at in (column["loss"][bucket].argmin(), column["loss"][bucket].argmax())}
        chosen.add(int(bucket[norms.argmax()]))
    kept = sorted(chosen)
    return {name: _to_list(column[name][kept]) for name in ("step", "tokens", "seconds", "loss", "norm", "rate")}


def _validation_points(groups: Sequence[Sequence[ValidationRecord]]) -> Points:
    """Return the mean over runs at the steps that all of them have scored."""
    by_step = [{record.step: record for record in group} for group in groups if group]
    steps = sorted(set.intersection(*(set(records) for records in by_step))) if by_step else []
    points: Points = {name: [] for name in ("step", "tokens", "seconds", "loss", "bits")}
    for step in steps:
        records = [each[step] for each in by_step]
        losses, bits = [record.loss for record in records], [record.bits_per_byte for record in records]
        if not all(abs(value) < LARGEST_SHOWN for value in [*losses, *bits]):
            continue
        points["step"].append(step)
        points["tokens"].append(records[0].tokens)
        points["seconds"].append(_rounded(float(np.mean([record.seconds for record in records]))))
        points["loss"].append(_rounded(float(np.mean(losses))))
        points["bits"].append(_rounded(float(np.mean(bits))))
    return points


def _without_tokens(points: Points) -> Points:
    return {name: values for name, values in points.items() if name != "tokens"}


def _to_list(values: Floats) -> list[float | None]:
    return [None if value != value else _rounded(value) for value in values.tolist()]


def _rounded(value: float) -> float:
    """Keep what a screen can show: six digits of measures, and whole counts."""
    return int(value) if value == int(value) else float(f"{value:.6g}")


def _shown(value: float | None) -> float | None:
    return value if value is not None and abs(value) < LARGEST_SHOWN else None
