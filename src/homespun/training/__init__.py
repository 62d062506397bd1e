"""Training: recipes, runs and the loop; what a run leaves behind is `homespun.records`' to say."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.training.config import RunConfig as RunConfig
    from homespun.training.config import TrainingConfig as TrainingConfig
    from homespun.training.loop import train as train
    from homespun.training.recipe import load_recipe as load_recipe
    from homespun.training.recipe import save_recipe as save_recipe
    from homespun.training.recorder import Recorder as Recorder
    from homespun.training.session import Session as Session
    from homespun.training.session import open_session as open_session
    from homespun.training.trained import load_run as load_run

_HOMES = {
    "Recorder": "recorder",
    "RunConfig": "config",
    "Session": "session",
    "TrainingConfig": "config",
    "load_recipe": "recipe",
    "load_run": "trained",
    "open_session": "session",
    "save_recipe": "recipe",
    "train": "loop",
}
__all__ = [
    "Recorder",
    "RunConfig",
    "Session",
    "TrainingConfig",
    "load_recipe",
    "load_run",
    "open_session",
    "save_recipe",
    "train",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
