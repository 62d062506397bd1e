"""Learning-rate schedules: pure functions of the step, so that a resumed run restores no state; torch-free."""

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

from homespun.config import check_at_least, check_fraction
from homespun.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class _Schedule:
    """What all schedules share: a linear warm-up, and a check that they fit into the run."""

    warmup_steps: int = 0
    """Steps in which the learning rate rises linearly from 0 to its peak."""

    def __post_init__(self) -> None:
        for field in ("warmup_steps", "decay_steps"):
            check_at_least(f"optim.schedule.{field}", getattr(self, field, 0), 0)
        check_fraction("optim.schedule.final_lr_fraction", getattr(self, "final_lr_fraction", 0.0))

    def check_fits(self, num_steps: int) -> None:
        """Refuse a warm-up and decay longer than a run of `num_steps`.

        Raises:
            ConfigError: they are.
        """
        needed = {field: getattr(self, field, 0) for field in ("warmup_steps", "decay_steps")}
        if sum(needed.values()) > num_steps:
            named = " and ".join(f"optim.schedule.{field} = {steps}" for field, steps in needed.items() if steps)
            raise ConfigError(
                f"{named}: more than the {num_steps} steps of the run; shorten them or raise training.num_steps"
            )

    def scale(self, step: int, num_steps: int) -> float:
        """Return the factor on the peak learning rates at `step` (from 0) of a run of `num_steps`.

        With a warm-up the factor of step 0 is 0. A decay ends at step `num_steps`, one past the last.
        """
        raise NotImplementedError

    def num_extendable_steps(self, num_steps: int) -> int:
        """Return how many first steps of a run of `num_steps` have the same factors in every longer run.

        A run that has taken no more steps than these may be continued with a larger `training.num_steps`.
        """
        # The step after a warm-up has the peak, whenever a decay ends.
        return min(self.warmup_steps + 1, num_steps)


@dataclass(frozen=True, kw_only=True)
class Cosine(_Schedule):
    """Warm-up, then half a cosine from the peak to `final_lr_fraction` of it at the end of the run."""

    kind: Literal["cosine"] = "cosine"
    """Decay after warm-up; "wsd" holds the peak before a linear one."""

    final_lr_fraction: float = 0.1
    """Learning rate at the end of the run, as a fraction of the peak."""

    def scale(self, step: int, num_steps: int) -> float:
        return cosine_schedule(step, 1.0, self.final_lr_fraction, self.warmup_steps, num_steps)


@dataclass(frozen=True, kw_only=True)
class Linear(_Schedule):
    """Warm-up, then linear decay from the peak to `final_lr_fraction` of it at the end of the run."""

    kind: Literal["linear"] = "linear"

    final_lr_fraction: float = 0.1
    """Learning rate at the end of the run, as a fraction of the peak."""

    def scale(self, step: int, num_steps: int) -> float:
        return linear_schedule(step, 1.0, self.final_lr_fraction, self.warmup_steps, num_steps)


@dataclass(frozen=True, kw_only=True)
class WSD(_Schedule):
    """Warm-up, the peak held, then linear decay over the last `decay_steps` of the run."""

    kind: Literal["wsd"] = "wsd"

    decay_steps: int
    """Steps of linear decay at the end of the run; a fifth of the run is usual."""

    final_lr_fraction: float = 0.1
    """Learning rate at the end of the run, as a fraction of the peak."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_steps == 0:
            raise ConfigError(
                'optim.schedule.decay_steps = 0: "wsd" needs at least 1; without a decay, use kind: constant'
            )

    def scale(self, step: int, num_steps: int) -> float:
        decay_start = num_steps - self.decay_steps
        return wsd_schedule(step, 1.0, self.final_lr_fraction, self.warmup_steps, decay_start, num_steps)

    def num_extendable_steps(self, num_steps: int) -> int:
        # Step `decay_start` itself still has the peak: the decay shows from the step after it.
        return num_steps - self.decay_steps + 1


@dataclass(frozen=True, kw_only=True)
class Constant(_Schedule):
    """Warm-up, then the peak to the end."""

    kind: Literal["constant"] = "constant"

    def scale(self, step: int, num_steps: int) -> float:
        return constant_schedule(step, 1.0, self.warmup_steps)

    def num_extendable_steps(self, num_steps: int) -> int:
        return num_steps


Schedule = Cosine | Linear | WSD | Constant


def cosine_schedule(t: int, alpha_max: float, alpha_min: float, T_w: int, T_c: int) -> float:
    """Rise linearly to `alpha_max`, fall along half a cosine to `alpha_min`, stay there.

        t < T_w           t / T_w * alpha_max
        T_w <= t <= T_c   alpha_min + (1 + cos(pi * (t - T_w) / (T_c - T_w))) / 2 * (alpha_max - alpha_min)
        T_c < t           alpha_min

    With T_c = T_w the learning rate is `alpha_max` at step T_w alone.

    Args:
        t: The step, counted from 0; with a warm-up the first learning rate is 0.
        alpha_max: The peak learning rate.
        alpha_min: The final learning rate.
        T_w: Steps of warm-up.
        T_c: The step at which `alpha_min` is reached.

    Raises:
        ConfigError: T_c < T_w, or either is negative.

    Source: Loshchilov & Hutter 2016 (SGDR), arXiv:1608.03983, eq. 5.
    """
    progress = _progress(t, T_w, T_c)
    if t < T_w:
        return t / T_w * alpha_max
    return alpha_min + (1 + cos(pi * progress)) / 2 * (alpha_max - alpha_min)


def linear_schedule(t: int, alpha_max: float, alpha_min: float, T_w: int, T_c: int) -> float:
    """Rise linearly to `alpha_max` at T_w, fall linearly to `alpha_min` at T_c: `wsd_schedule` with T_s = T_w."""
    return wsd_schedule(t, alpha_max, alpha_min, T_w, T_w, T_c)


def wsd_schedule(t: int, alpha_max: float, alpha_min: float, T_w: int, T_s: int, T_c: int) -> float:
    """Warm-up, stable, decay: rise to `alpha_max` at T_w, stay until T_s, fall linearly to `alpha_min` at T_c, stay.

    Nothing before T_s depends on T_c, so a run can be continued from there with more steps.

    Raises:
        ConfigError: the steps are not in the order 0 <= T_w <= T_s <= T_c.

    Source: Hu et al. 2024 (MiniCPM), arXiv:2404.06395, eq. 1, with a linear decay.
    """
    if not 0 <= T_w <= T_s:
        raise ConfigError(f"the warm-up ends at step {T_w}; it must end at step 0 or later, and by step {T_s}")
    progress = _progress(t, T_s, T_c)
    if t < T_w:
        return t / T_w * alpha_max
    return alpha_max + progress * (alpha_min - alpha_max)


def constant_schedule(t: int, alpha_max: float, T_w: int) -> float:
    """Rise linearly to `alpha_max` at step T_w, stay there."""
    return t / T_w * alpha_max if t < T_w else alpha_max


def _progress(t: int, start: int, end: int) -> float:
    """Return how far `t` is from `start` to `end`, clipped to 0 ... 1."""
    if not 0 <= start <= end:
        raise ConfigError(
            f"the decay of the learning rate starts at step {start} and ends at step {end}; "
            "it must start at step 0 or later and end no earlier than it starts"
        )
    if t <= start:
        return 0.0
    return 1.0 if t >= end else (t - start) / (end - start)
