"""The Transformer language model: its layers, its initialisation, its loss."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
