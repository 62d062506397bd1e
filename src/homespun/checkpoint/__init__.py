"""One file a checkpoint: safetensors, without pickle, written atomically and verified by hash before it is used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.checkpoint.checkpoint import load_checkpoint as load_checkpoint
    from homespun.checkpoint.checkpoint import load_model as load_model
    from homespun.checkpoint.checkpoint import read_state as read_state
    from homespun.checkpoint.checkpoint import save_checkpoint as save_checkpoint

_HOMES = {
    "load_checkpoint": "checkpoint",
    "load_model": "checkpoint",
    "read_state": "checkpoint",
    "save_checkpoint": "checkpoint",
}
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll] # the names are _HOMES' keys, written once


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
