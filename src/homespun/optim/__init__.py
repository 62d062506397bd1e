"""Optimizers, learning-rate schedules, gradient clipping, and which parameters decay."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
