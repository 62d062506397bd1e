"""A short ramp of the learning rate: where training is fastest, where it breaks, and what to begin with."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, log10
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from homespun.config import check_at_least, check_positive
from homespun.data.sampler import WindowSampler
from homespun.errors import ConfigError, TrainingError
from homespun.experiments.plots import COLORS, INK, save_plot
from homespun.files import make_directory, write_text_atomically
from homespun.optim.schedule import Constant
from homespun.progress import ProgressCallback, ignore_progress
from homespun.recipe.config import RunConfig
from homespun.recipe.data import open_data
from homespun.runs.device import check_memory, compute_threads, resolve
from homespun.seeding import derive_seed
from homespun.training.engine import Engine
from homespun.training.rng import seed_generators

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RAMP_VERSION = 1
MIN_STEPS = 20
_SMOOTHED_FRACTION = 20
"""The smoothed loss is the median of a window of this fraction of the steps, centered: a mean would carry one spike to
its neighbours, and an average of the past would put every rate too high."""

_BROKEN_FACTOR = 2.0
"""The ramp ends once the loss is so many times the first: what follows teaches nothing more."""

SAFETY = 3.0
"""The suggestion is the rate of the lowest smoothed loss divided by this. A run spends thousands of steps at its peak,
the ramp a few: rates that a run does not survive still lower the loss there. docs/LOG.md compares with a sweep."""

LossAt = Callable[[int, float], float]
"""(step, learning rate) -> the loss before the step's update, or `TrainingError` where it is not finite."""


@dataclass(frozen=True, kw_only=True)
class RampPoint:
    """One step of the ramp."""

    step: int
    lr: float
    """Learning rate of its update, the main optimizer's."""
    loss: float
    """Before its update: what the rates below have led to."""


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """A ramp with what it shows."""

    points: list[RampPoint]
    smoothed: list[float]
    """The running median of the points' losses."""
    lowest: RampPoint
    """Where the smoothed loss is lowest, with that loss."""
    breaks: RampPoint | None
    """The first point from which the smoothed loss stays above its start, or the last before a loss that is not finite;
    null where the ramp ends before."""
    failure: str
    """What broke: "" where nothing did."""
    suggestion: float
    reasoning: str


def rates_between(min_lr: float, max_lr: float, num_steps: int) -> list[float]:
    """Return `num_steps` learning rates from `min_lr` to `max_lr`, each the same factor above the one before.

    Raises:
        ConfigError: they are not in this order above 0, or the steps are too few to smooth over.
    """
    check_positive("--min-lr", min_lr)
    check_positive("--max-lr", max_lr)
    check_at_least("--steps", num_steps, MIN_STEPS)
    if min_lr >= max_lr:
        raise ConfigError(
            f"--min-lr = {min_lr:g} is not below --max-lr = {max_lr:g}; the rate rises from one to the other"
        )
    return [min_lr * (max_lr / min_lr) ** (step / (num_steps - 1)) for step in range(num_steps)]


def run_ramp(loss_at: LossAt, rates: Sequence[float]) -> Ramp:
    """Take one step at each of `rates` until the loss is not finite or far above its start.

    Raises:
        TrainingError: too few steps succeed to see anything.
    """
    points, failure = list[RampPoint](), ""
    for step, lr in enumerate(rates):
        try:
            points.append(RampPoint(step=step, lr=lr, loss=loss_at(step, lr)))
        except TrainingError as error:
            failure = str(error)
            break
        if not isfinite(points[-1].loss):
            failure = f"step {step}: loss {points.pop().loss}"
            break
        if points[-1].loss > _BROKEN_FACTOR * points[0].loss:
            failure = (
                f"step {step}: loss {points[-1].loss:.4g}, more than {_BROKEN_FACTOR:g} times that of the first step"
            )
            break
    if len(points) < MIN_STEPS // 2:
        raise TrainingError(
            f"the ramp ended after {len(points)} steps, at a learning rate of {rates[max(0, len(points) - 1)]:.3g} "
            f"({failure}); "
            "begin with a lower --min-lr"
        )
    return _judge(points, failure, len(rates))


def _judge(points: list[RampPoint], failure: str, num_steps: int) -> Ramp:
    smoothed = smooth([point.loss for point in points], max(1, num_steps // _SMOOTHED_FRACTION))
    lowest = min(range(len(points)), key=lambda index: smoothed[index])
    breaks = next((i for i in range(lowest, len(points)) if min(smoothed[i:]) > smoothed[0]), None)
    if breaks is not None:
        failure = "; ".join(filter(None, ["from there on the smoothed loss is above its start", failure]))
    elif failure:
        breaks = len(points) - 1
    best = points[lowest]
    suggestion = float(f"{best.lr / SAFETY:.1e}")
    if lowest == len(points) - 1 and not failure:
        reasoning = (
            f"the loss falls to the end of the ramp, so that {best.lr:.3g} is only a lower bound of the rate at which "
            "it is lowest; raise --max-lr"
        )
    else:
        reasoning = f"a third of {best.lr:.3g}, at which the smoothed loss is lowest"
    return Ramp(
        points=points,
        smoothed=smoothed,
        lowest=RampPoint(step=best.step, lr=best.lr, loss=smoothed[lowest]),
        breaks=None if breaks is None else points[breaks],
        failure=failure,
        suggestion=suggestion,
        reasoning=reasoning,
    )


def smooth(values: Sequence[float], width: int) -> list[float]:
    """Return the median of each value and up to `width` // 2 neighbours on either side, as many on both.

    >>> smooth([5, 1, 9, 3, 4], 3)
    [5, 5, 3, 4, 4]
    """
    half = [min(width // 2, index, len(values) - 1 - index) for index in range(len(values))]
    return [median(values[index - reach : index + reach + 1]) for index, reach in enumerate(half)]


@dataclass(frozen=True, kw_only=True)
class _Rates(Constant):
    """A schedule that gives step i the i-th rate."""

    rates: tuple[float, ...] = ()
    peak: float = 1.0

    def scale(self, step: int, num_steps: int) -> float:
        return self.rates[step] / self.peak


def find_lr(config: RunConfig, rates: Sequence[float], on_progress: ProgressCallback = ignore_progress) -> Ramp:
    """Ramp the learning rate of a run's first steps, on its weights and data; its groups' rates rise in proportion.

    Nothing is written. The same recipe gives the same bits as often as the ramp is run on one machine.

    Raises:
        HomespunError: as `open_data` and `resolve`; or as `run_ramp`.
    """
    config, _, _ = resolve(config)
    check_memory(config)
    data = open_data(config)
    sampler = WindowSampler(data.train, config.model.context_length, derive_seed(config.seed, "data"))
    execution, batch_size = config.execution, config.training.batch_size
    with compute_threads(execution.device, execution.precision, execution.threads, compiles=execution.compile):
        seed_generators(config.seed)
        engine = Engine.build(config)
        engine.schedule = _Rates(rates=tuple(rates), peak=config.optim.lr)

        def loss_at(step: int, _lr: float) -> float:
            outcome = engine.step(step, *sampler.batch(step * batch_size, batch_size))
            on_progress(step + 1, len(rates))
            return outcome.loss

        return run_ramp(loss_at, rates)


def write_ramp(out: Path, ramp: Ramp, config: RunConfig) -> Iterator[str]:
    """Write `ramp.json` and `ramp.svg` to the directory `out`, and yield their names.

    Raises:
        StorageError: the disk refuses.
    """
    make_directory(out)
    settings = {
        "recipe": config.name,
        "seed": config.seed,
        "tokens_per_step": config.tokens_per_step,
        "optimizer": config.optim.kind,
        "lr": config.optim.lr,
    }
    content = {"version": RAMP_VERSION, **settings, **asdict(ramp)}
    write_text_atomically(out / "ramp.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    yield "ramp.json"
    yield save_plot(out / "ramp.svg", lambda axes: _draw(axes, ramp, config))


def _draw(axes: "Axes", ramp: Ramp, config: RunConfig) -> None:
    rates, losses = [point.lr for point in ramp.points], [point.loss for point in ramp.points]
    axes.plot(rates, losses, color=INK, alpha=0.5, linewidth=0.8, label="a step")
    axes.plot(rates, ramp.smoothed, color=COLORS[0], linewidth=2, label="running median")
    axes.axvline(ramp.suggestion, color=COLORS[2], linestyle="--", label=f"suggestion {ramp.suggestion:.2g}")
    if ramp.breaks is not None:
        axes.axvline(ramp.breaks.lr, color=COLORS[1], linestyle=":", label=f"breaks {ramp.breaks.lr:.2g}")
    low, start = ramp.lowest.loss, ramp.smoothed[0]
    # A diverging loss would press everything else flat.
    axes.set_ylim(low - 0.1 * (start - low), start + 0.5 * (start - low))
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss, nats per token")
    axes.set_title(f"{config.name}: {len(rates)} steps, {log10(rates[-1] / rates[0]):.1f} decades", fontsize="medium")
    axes.legend(fontsize="small")
