"""A generated corpus of children's stories whose entropy is known to the bit.

A story is drawn choice by choice from the options that its state allows. Its text determines the choices (`parse`), so
-log2 of its probability is a sum over them, and no model can do better in expectation.
"""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
