"""Oracle: the schedules' closed forms, point by point."""

from math import cos, pi

import pytest

from homespun.errors import ConfigError
from homespun.optim import (
    OptimConfig,
    ScheduleConfig,
    constant_schedule,
    cosine_schedule,
    learning_rate_at,
    linear_schedule,
    wsd_schedule,
)


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
    with pytest.raises(ConfigError, match=r"starts at step 5 .* ends at step 4"):
        schedule(0, 1.0, 0.1, 5, 4)
    with pytest.raises(ConfigError):
        schedule(0, 1.0, 0.1, -1, 4)


@pytest.mark.parametrize("steps", [(3, 2, 6), (3, 7, 6), (-1, 2, 6)])
def test_wsd_refuses_parts_out_of_order(steps):
    with pytest.raises(ConfigError):
        wsd_schedule(0, 1.0, 0.0, *steps)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cosine", [0, 1.0, 2.0, 0.2 + 0.9 * (1 + cos(pi / 4)), 1.1, 0.2 + 0.9 * (1 - cos(pi / 4))]),
        ("linear", [0, 1.0, 2.0, 1.55, 1.1, 0.65]),
        ("wsd", [0, 1.0, 2.0, 2.0, 2.0, 1.1]),
        ("constant", [0, 1.0, 2.0, 2.0, 2.0, 2.0]),
    ],
)
def test_rates_of_a_run(name, expected):
    """Derived by hand: six steps, two of warm-up, the end at step 6, which is never taken."""
    schedule = ScheduleConfig(name=name, warmup_steps=2, final_lr_fraction=0.1, decay_steps=2)
    config = OptimConfig(lr=2.0, weight_decay=0.0, schedule=schedule)
    assert [learning_rate_at(step, config, 6) for step in range(6)] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["cosine", "wsd", "constant"])
def test_parts_longer_than_the_run_are_refused(name):
    config = OptimConfig(schedule=ScheduleConfig(name=name, warmup_steps=11, decay_steps=5))
    with pytest.raises(ConfigError, match=r"optim.schedule.warmup_steps = 11 .*run of 10 steps"):
        learning_rate_at(0, config, 10)
