"""What a run is: its configuration, how a recipe is read and what its data need; no torch."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
