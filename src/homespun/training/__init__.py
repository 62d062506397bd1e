"""Train a model: the engine, the run and the loop."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
