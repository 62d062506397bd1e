"""Text in: named downloads, document readers, division into file ranges."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
