"""A generated corpus of children's stories whose entropy is known to the bit.

A story is drawn choice by choice from what its little world allows; its text gives the choices back (`parse`), so
-log2 of its probability is the sum over them, and no model can expect to do better.
"""

from homespun.lazy import exports

__getattr__, __dir__ = exports(__name__, __file__)
