"""Train a language model from raw text, every part written in the open.

Importing this package does no work: a name or a subpackage is imported when it is first used.
"""

from homespun.lazy import exports

_load, __dir__ = exports(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("homespun")
    return _load(name)
