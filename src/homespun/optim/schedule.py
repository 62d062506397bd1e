"""Learning rate as a function of the step: pure, so that a resumed run needs no state of it."""

from math import cos, pi

from homespun.errors import ConfigError
from homespun.optim.config import OptimConfig


def cosine_schedule(t: int, alpha_max: float, alpha_min: float, T_w: int, T_c: int) -> float:
    """Rise in a line to `alpha_max`, fall along half a cosine to `alpha_min`, stay there.

        t < T_w           t / T_w * alpha_max
        T_w <= t <= T_c   alpha_min + (1 + cos(pi * (t - T_w) / (T_c - T_w))) / 2 * (alpha_max - alpha_min)
        T_c < t           alpha_min

    T_c = T_w is a rise and then `alpha_max` for the one step T_w.

    Args:
        t: The step, counted from 0; with a warm-up the first rate is 0.
        alpha_max: The highest rate.
        alpha_min: The last rate.
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
    """Rise in a line to `alpha_max` at step T_w, fall in a line to `alpha_min` at step T_c, stay there.

    Raises:
        ConfigError: T_c < T_w, or either is negative.
    """
    progress = _progress(t, T_w, T_c)
    if t < T_w:
        return t / T_w * alpha_max
    return alpha_max + progress * (alpha_min - alpha_max)


def wsd_schedule(t: int, alpha_max: float, alpha_min: float, T_w: int, T_s: int, T_c: int) -> float:
    """Warm-up, stable, decay: rise to `alpha_max` at T_w, stay until T_s, fall in a line to `alpha_min` at T_c, stay.

    A run can be continued from the stable part with more data, as nothing before T_s depends on T_c.

    Raises:
        ConfigError: the steps are not in the order 0 <= T_w <= T_s <= T_c.

    Source: Hu et al. 2024 (MiniCPM), arXiv:2404.06395, eq. 1, with a line for the decay.
    """
    if not 0 <= T_w <= T_s:
        raise ConfigError(f"the warm-up ends at step {T_w}; it must end at step 0 or later, and by step {T_s}")
    progress = _progress(t, T_s, T_c)
    if t < T_w:
        return t / T_w * alpha_max
    return alpha_max + progress * (alpha_min - alpha_max)


def constant_schedule(t: int, alpha_max: float, T_w: int) -> float:
    """Rise in a line to `alpha_max` at step T_w, stay there."""
    return t / T_w * alpha_max if t < T_w else alpha_max


def learning_rate_at(step: int, config: OptimConfig, num_steps: int) -> float:
    """The rate of optimizer step `step` (from 0) in a run of `num_steps`.

    With a warm-up step 0 has rate 0. The way down ends at step `num_steps`, one past the last.

    Raises:
        ConfigError: the schedule's parts are longer than the run.
    """
    schedule = config.schedule
    highest, lowest = config.lr, config.lr * schedule.final_lr_fraction
    warmup, decay = schedule.warmup_steps, schedule.decay_steps if schedule.name == "wsd" else 0
    if warmup + decay > num_steps:
        parts = f"optim.schedule.warmup_steps = {warmup}" + (
            f" and optim.schedule.decay_steps = {decay}" if decay else ""
        )
        raise ConfigError(f"{parts} do not fit into a run of {num_steps} steps; shorten them or train for longer")
    match schedule.name:
        case "cosine":
            return cosine_schedule(step, highest, lowest, warmup, num_steps)
        case "linear":
            return linear_schedule(step, highest, lowest, warmup, num_steps)
        case "wsd":
            return wsd_schedule(step, highest, lowest, warmup, num_steps - decay, num_steps)
        case "constant":
            return constant_schedule(step, highest, warmup)


def _progress(t: int, start: int, end: int) -> float:
    """How far `t` is from `start` to `end`, clipped to 0 ... 1."""
    if not 0 <= start <= end:
        raise ConfigError(
            f"the learning rate's way down starts at step {start} and ends at step {end}; "
            "it must start at step 0 or later and end no earlier than it starts"
        )
    if t <= start:
        return 0.0
    return 1.0 if t >= end else (t - start) / (end - start)
