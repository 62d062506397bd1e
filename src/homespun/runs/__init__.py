"""A run directory: who may write it, and loading what was trained there."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
