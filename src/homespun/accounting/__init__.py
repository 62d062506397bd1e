"""What a model costs before it is built: parameters, FLOPs, memory and days, in exact integers and without torch."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
