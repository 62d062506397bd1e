"""Every bad value is refused by the full name it has in a recipe."""

import pytest

from homespun.errors import ConfigError
from homespun.optim import OptimConfig, ScheduleConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.0}, r"optim.lr = 0.0"),
        ({"lr": float("inf")}, r"optim.lr = inf"),
        ({"betas": (1.0, 0.9)}, r"optim.betas\[0\] = 1.0"),
        ({"eps": 0.0}, r"optim.eps = 0.0"),
        ({"weight_decay": -0.1}, r"optim.weight_decay = -0.1"),
        ({"weight_decay": 20.0, "lr": 0.1}, r"optim.weight_decay = 20.0 times optim.lr = 0.1"),
        ({"max_grad_norm": 0.0}, r"optim.max_grad_norm = 0.0"),
        ({"max_grad_norm": float("nan")}, r"optim.max_grad_norm = nan"),
    ],
)
def test_bad_optimizer_settings(values, message):
    with pytest.raises(ConfigError, match=message):
        OptimConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"warmup_steps": -1}, r"optim.schedule.warmup_steps = -1"),
        ({"final_lr_fraction": 1.1}, r"optim.schedule.final_lr_fraction = 1.1"),
        ({"decay_steps": -1}, r"optim.schedule.decay_steps = -1"),
        ({"name": "wsd"}, r"needs optim.schedule.decay_steps"),
    ],
)
def test_bad_schedule_settings(values, message):
    with pytest.raises(ConfigError, match=message):
        ScheduleConfig(**values)


def test_infinite_max_grad_norm_means_never():
    assert OptimConfig(max_grad_norm=float("inf")).max_grad_norm == float("inf")
