"""One file a checkpoint: safetensors, without pickle, written atomically and verified by hash before it is used."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
