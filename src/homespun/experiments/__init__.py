"""Experiments that anyone can repeat: plans of runs with their queue and statistics, and what needs no training."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
