"""Optimizers, learning-rate schedules, gradient clipping, and which parameters decay."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.optim.adamw import AdamW as AdamW
    from homespun.optim.build import build_optimizer as build_optimizer
    from homespun.optim.clip import clip_gradients as clip_gradients
    from homespun.optim.config import OptimConfig as OptimConfig
    from homespun.optim.config import ScheduleConfig as ScheduleConfig
    from homespun.optim.groups import parameter_groups as parameter_groups
    from homespun.optim.schedule import constant_schedule as constant_schedule
    from homespun.optim.schedule import cosine_schedule as cosine_schedule
    from homespun.optim.schedule import learning_rate_at as learning_rate_at
    from homespun.optim.schedule import linear_schedule as linear_schedule
    from homespun.optim.schedule import wsd_schedule as wsd_schedule
    from homespun.optim.sgd import SGD as SGD

_HOMES = {
    "SGD": "sgd",
    "AdamW": "adamw",
    "OptimConfig": "config",
    "ScheduleConfig": "config",
    "build_optimizer": "build",
    "clip_gradients": "clip",
    "constant_schedule": "schedule",
    "cosine_schedule": "schedule",
    "learning_rate_at": "schedule",
    "linear_schedule": "schedule",
    "parameter_groups": "groups",
    "wsd_schedule": "schedule",
}
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll] # the names are _HOMES' keys, written once


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
