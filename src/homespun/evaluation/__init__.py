"""How well a model predicts held-out text: loss, perplexity, bits per byte."""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
