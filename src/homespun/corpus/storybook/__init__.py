"""A generated corpus of children's stories whose entropy is known to the bit.

A story is drawn choice by choice from what its little world allows; its text gives the choices back (`parse`), so
-log2 of its probability is the sum over them, and no model can expect to do better.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.corpus.storybook.grammar import Storybook as Storybook
    from homespun.corpus.storybook.telling import Choice as Choice
    from homespun.corpus.storybook.telling import Story as Story
    from homespun.corpus.storybook.write import generate_stories as generate_stories
    from homespun.corpus.storybook.write import parse as parse
    from homespun.corpus.storybook.write import write_storybook as write_storybook

_HOMES = {
    "Choice": "telling",
    "Story": "telling",
    "Storybook": "grammar",
    "generate_stories": "write",
    "parse": "write",
    "write_storybook": "write",
}
__all__ = ["Choice", "Story", "Storybook", "generate_stories", "parse", "write_storybook"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
