"""Telling a story: one walk through the grammar, whether its choices are drawn or read off a text.

Every choice is made at the moment its words are said, and no option's words begin another's (tested for the whole
grammar). Hence a text has at most one derivation, and

    -log2 p(text) = sum over its choices of log2(number of options)

is exact: nothing is rejected, and nothing else was random.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import log2, prod
from random import Random
from typing import NamedTuple

from homespun.errors import DataError
from homespun.storybook.world import World


class Choice(NamedTuple):
    """One choice as it was made: all options were equally likely."""

    name: str
    """The fact introduced or the rule whose wording was chosen."""
    option: int
    """Which of the options, counted from 0."""
    num_options: int


@dataclass(frozen=True)
class Story:
    """A story, and how it came about."""

    text: str
    """ASCII, ending in a newline."""
    choices: tuple[Choice, ...]

    @property
    def bits(self) -> float:
        """-log2 of the probability that the storybook tells this story; one rounding, at the end."""
        return log2(prod(choice.num_options for choice in self.choices))


class Telling(ABC):
    """What the grammar asks of whoever walks through it, and what has been told so far."""

    def __init__(self) -> None:
        self.world: World = {}
        self.choices: list[Choice] = []

    @abstractmethod
    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        """The index of the option to take; `lead_of(i)` is the text certain to follow if option i is."""

    @abstractmethod
    def say(self, text: str) -> None:
        """The next words of the story."""

    @abstractmethod
    def story(self) -> Story:
        """What has been told, with its choices."""


class Drawing(Telling):
    """Makes a story up: every choice is drawn from `rng`, all options equally likely."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._random = rng.random
        self._pieces: list[str] = []

    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        # Of Random's methods, only random() is promised to give the same numbers in every Python.
        index = int(self._random() * num_options)
        self.choices.append(Choice(name, index, num_options))
        return index

    def say(self, text: str) -> None:
        self._pieces.append(text)

    def story(self) -> Story:
        return Story("".join(self._pieces), tuple(self.choices))


class Reading(Telling):
    """Finds the choices that tell a given text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._at = 0

    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        for index in range(num_options):
            if self._text.startswith(lead_of(index), self._at):
                self.choices.append(Choice(name, index, num_options))
                return index
        nearest = max(map(lead_of, range(num_options)), key=self._agreement)
        raise self._astray(nearest, f"one of the {num_options} ways to go on with {name!r}, the nearest being ")

    def say(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise self._astray(text, "")
        self._at += len(text)

    def story(self) -> Story:
        """The text with its choices.

        Raises:
            DataError: text is left over.
        """
        if self._at != len(self._text):
            raise DataError(
                f"offset {self._at}: the story has ended, but the text goes on with "
                f"{self._text[self._at : self._at + 30]!r}; parse one story at a time, without its separator"
            )
        return Story(self._text, tuple(self.choices))

    def _agreement(self, expected: str) -> int:
        """How many characters of `expected` the text has next."""
        found = self._text[self._at : self._at + len(expected)]
        return next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(found))

    def _astray(self, expected: str, what: str) -> DataError:
        place = self._at + self._agreement(expected)
        found = self._text[place : place + 30]
        return DataError(
            f"offset {place}: the text leaves the storybook's grammar: "
            f"after {self._text[max(0, place - 30) : place]!r} "
            f"expected {what}{expected[place - self._at :][:60]!r}, "
            f"found {found!r}; only text that the storybook wrote can be parsed"
        )
