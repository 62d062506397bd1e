"""Experiments that anyone can repeat: each one command, with its figures in one JSON file and its plots next to it."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
