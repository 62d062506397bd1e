"""A trained model continues a text: sampling, key-value cache, stop strings; opens no file."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
