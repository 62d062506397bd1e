"""Recipes: the configuration of a run, reading and writing it, and preparing its data; torch-free."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
