"""Text to ids and back: byte-level BPE, trained and applied by the Rust core, specified by `reference`."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
