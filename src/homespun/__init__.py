"""Train a language model from raw text, with code written from scratch.

Importing this package does no work: a name or a subpackage is imported when it is first used.
"""

from homespun.lazy import exports

_load, _list_names = exports(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("homespun")
    return _load(name)


def __dir__() -> list[str]:
    return [*_list_names(), "__version__"]
