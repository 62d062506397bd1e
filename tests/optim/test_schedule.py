"""Oracle: the schedules' closed forms, point by point."""

from math import cos, pi

import pytest

from homespun.errors import ConfigError
from homespun.optim import (
    WSD,
    Constant,
    Cosine,
    Linear,
    constant_schedule,
    cosine_schedule,
    linear_schedule,
    wsd_schedule,
)
from refusals import refuses


def test_cosine_point_by_point():
    """Derived by hand: warm-up over 7 steps to 1, down to 0.1 at step 21, as in the assignment's test."""
    rates = [cosine_schedule(t, 1.0, 0.1, 7, 21) for t in range(25)]
    assert rates[:8] == pytest.approx([t / 7 for t in range(8)])
    assert rates[14] == pytest.approx(0.55)
    assert rates[10] == pytest.approx(0.1 + 0.45 * (1 + cos(pi * 3 / 14)))
    assert rates[21:] == pytest.approx([0.1] * 4)


def test_linear_and_wsd_point_by_point():
    assert [linear_schedule(t, 1.0, 0.2, 2, 6) for t in range(8)] == pytest.approx([0, 0.5, 1, 0.8, 0.6, 0.4, 0.2, 0.2])
    assert [wsd_schedule(t, 1.0, 0.0, 2, 4, 6) for t in range(8)] == pytest.approx([0, 0.5, 1, 1, 1, 0.5, 0, 0])
    assert [constant_schedule(t, 1.0, 2) for t in range(4)] == pytest.approx([0, 0.5, 1, 1])


@pytest.mark.parametrize("schedule", [cosine_schedule, linear_schedule])
def test_edges(schedule):
    """No warm-up starts at the top; T_c = T_w is the top for one step, then the end; T_c < T_w is an error."""
    assert schedule(0, 1.0, 0.1, 0, 10) == 1.0
    assert [schedule(t, 1.0, 0.1, 4, 4) for t in (2, 4, 5)] == pytest.approx([0.5, 1.0, 0.1])
    assert schedule(0, 1.0, 0.1, 0, 0) == 1.0
    for warmup in (5, -1):
        with refuses(ConfigError, f"step {warmup}"):
            schedule(0, 1.0, 0.1, warmup, 4)


@pytest.mark.parametrize("steps", [(3, 2, 6), (3, 7, 6), (-1, 2, 6)])
def test_wsd_refuses_parts_out_of_order(steps):
    with refuses(ConfigError, "step"):
        wsd_schedule(0, 1.0, 0.0, *steps)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Cosine(warmup_steps=2), [0, 0.5, 1.0, 0.1 + 0.45 * (1 + cos(pi / 4)), 0.55, 0.1 + 0.45 * (1 - cos(pi / 4))]),
        (Linear(warmup_steps=2), [0, 0.5, 1.0, 0.775, 0.55, 0.325]),
        (WSD(warmup_steps=2, decay_steps=2), [0, 0.5, 1.0, 1.0, 1.0, 0.55]),
        (Constant(warmup_steps=2), [0, 0.5, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_factors_of_a_run(schedule, expected):
    """Derived by hand: six steps, two of warm-up, down to a tenth at step 6, which is never taken."""
    assert [schedule.scale(step, 6) for step in range(6)] == pytest.approx(expected)


@pytest.mark.parametrize(
    "schedule", [Cosine(warmup_steps=3), Linear(warmup_steps=3), WSD(warmup_steps=3, decay_steps=4), Constant()]
)
def test_a_run_may_grow_while_nothing_depended_on_its_length(schedule):
    """Oracle: the factors of a longer run, step by step, equal as far as stated and (but for a warm-up) no further."""
    num_steps = 10
    same = [schedule.scale(step, num_steps) == schedule.scale(step, num_steps + 7) for step in range(num_steps)]
    stated = schedule.num_extendable_steps(num_steps)
    assert all(same[:stated])
    assert stated == (same.index(False) if False in same else num_steps)


@pytest.mark.parametrize(
    "schedule", [Cosine(warmup_steps=11), WSD(warmup_steps=7, decay_steps=4), Constant(warmup_steps=11)]
)
def test_a_warmup_longer_than_the_run_is_refused(schedule):
    with refuses(ConfigError, f"optim.schedule.warmup_steps = {schedule.warmup_steps}", "10 steps"):
        schedule.check_fits(10)
