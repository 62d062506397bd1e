"""Token ids on disk and off it: data sets, the way from text to them, and batches from them."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.data.batches import get_batch as get_batch
    from homespun.data.config import DataConfig as DataConfig
    from homespun.data.dataset import TokenDataset as TokenDataset
    from homespun.data.encode import encode_corpus as encode_corpus
    from homespun.data.memory import encode_to_memory as encode_to_memory
    from homespun.data.sampler import WindowSampler as WindowSampler
    from homespun.data.windows import Window as Window
    from homespun.data.windows import WindowBatch as WindowBatch
    from homespun.data.windows import batch_windows as batch_windows
    from homespun.data.windows import documents as documents
    from homespun.data.windows import validation_windows as validation_windows

_HOMES = {
    "get_batch": "batches",
    "DataConfig": "config",
    "TokenDataset": "dataset",
    "encode_corpus": "encode",
    "encode_to_memory": "memory",
    "WindowSampler": "sampler",
    "Window": "windows",
    "WindowBatch": "windows",
    "batch_windows": "windows",
    "documents": "windows",
    "validation_windows": "windows",
}
__all__ = [
    "DataConfig",
    "TokenDataset",
    "Window",
    "WindowBatch",
    "WindowSampler",
    "batch_windows",
    "documents",
    "encode_corpus",
    "encode_to_memory",
    "get_batch",
    "validation_windows",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
