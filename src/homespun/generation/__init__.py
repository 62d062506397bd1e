"""A trained model continues a text: sampling, key-value cache, stop strings; opens no file."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.generation.cache import KeyValueCache as KeyValueCache
    from homespun.generation.generate import decode as decode
    from homespun.generation.generate import decode_stream as decode_stream
    from homespun.generation.generate import generate_tokens as generate_tokens
    from homespun.generation.sampling import Sampling as Sampling
    from homespun.generation.sampling import sample_token as sample_token

_HOMES = {
    "KeyValueCache": "cache",
    "Sampling": "sampling",
    "decode": "generate",
    "decode_stream": "generate",
    "generate_tokens": "generate",
    "sample_token": "sampling",
}
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll] # the names are _HOMES' keys, written once


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
