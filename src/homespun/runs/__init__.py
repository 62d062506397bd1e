"""Run directories: claiming one, and loading the model trained there."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
