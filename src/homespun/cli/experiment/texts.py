"""The texts that experiments on corpora are given as flags."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser
from homespun.errors import ConfigError
from homespun.files import check_is_file

if TYPE_CHECKING:
    from homespun.experiments.texts import Corpus

NAMES = ("tinystories", "english")
_SMOKE_STORIES = 300
_SMOKE_MODULES = ("argparse", "ast", "inspect", "pathlib", "typing")


def add_text_flags(parser: CommandParser) -> None:
    """Add a flag for each corpus: a text to train on, and one held out."""
    texts = parser.add_argument_group(
        "texts", "UTF-8, documents separated by <|endoftext|>; at smoke scale generated where none is given"
    )
    for name in NAMES:
        texts.add_argument(f"--{name}", type=Path, nargs=2, metavar=("TRAIN", "VALID"), help=f"{name} text")


def text_inputs(options: argparse.Namespace) -> list[str]:
    """The flags of the texts as they are recorded, without this machine's paths."""
    return [f"--{name} TRAIN VALID" for name in NAMES if getattr(options, name)]


@contextmanager
def open_corpora(options: argparse.Namespace) -> "Iterator[list[Corpus]]":
    """Yield the corpora that were named, or at smoke scale generated ones.

    Raises:
        ConfigError: a text is missing.
        MissingFileError: a file is.
    """
    from homespun.experiments.texts import Corpus

    given = {name: getattr(options, name) for name in NAMES if getattr(options, name)}
    for paths in given.values():
        for path in paths:
            check_is_file(path, "a text with documents separated by <|endoftext|>", "name a file")
    if given or options.scale != "smoke":
        if missing := [name for name in NAMES if name not in given]:
            raise ConfigError(f"--{missing[0]} is missing: give two files, --{missing[0]} TRAIN VALID")
        yield [Corpus(name=name, train=train, valid=valid) for name, (train, valid) in given.items()]
        return
    with TemporaryDirectory() as folder:
        yield list(_make_corpora(Path(folder)))


def _make_corpora(folder: Path) -> "Iterator[Corpus]":
    """Yield stories and the source of Python's library: two texts that are there on every machine."""
    from importlib import import_module
    from inspect import getsource

    from homespun.experiments.texts import SEPARATOR, Corpus
    from homespun.storybook import generate_stories

    stories = [story.text for story in generate_stories(_SMOKE_STORIES, 0)]
    sources = [part for name in _SMOKE_MODULES for part in getsource(import_module(name)).split("\n\n\n")]
    for name, documents in (("storybook", stories), ("python-library", sources)):
        cut = len(documents) * 9 // 10
        train, valid = folder / f"{name}-train.txt", folder / f"{name}-valid.txt"
        train.write_text(SEPARATOR.join(documents[:cut]), encoding="utf-8")
        valid.write_text(SEPARATOR.join(documents[cut:]), encoding="utf-8")
        yield Corpus(name=name, train=train, valid=valid)
