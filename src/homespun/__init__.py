"""Train a language model from raw text, every part written in the open.

Importing this package does no work: rooms load when they are imported by name, such as `homespun.tokenizer`.
"""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version

        return version("homespun")
    raise AttributeError(f"module 'homespun' has no attribute {name!r}")
