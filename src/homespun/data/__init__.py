"""Token ids on disk and off it: data sets, the way from text to them, and batches from them."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
