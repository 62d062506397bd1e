"""Text to ids and back: byte-level BPE, trained and applied by the Rust core, specified by `reference`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.tokenizer.config import TokenizerConfig as TokenizerConfig
    from homespun.tokenizer.tokenizer import Tokenizer as Tokenizer
    from homespun.tokenizer.train import train_bpe as train_bpe
    from homespun.tokenizer.train import train_bpe_from_counts as train_bpe_from_counts

_HOMES = {
    "Tokenizer": "tokenizer",
    "TokenizerConfig": "config",
    "train_bpe": "train",
    "train_bpe_from_counts": "train",
}
__all__ = ["Tokenizer", "TokenizerConfig", "train_bpe", "train_bpe_from_counts"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
