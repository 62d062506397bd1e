"""One walk through the grammar, which either draws its choices at random or reads them off a text.

A choice is made when its words are emitted, and no option's words are a prefix of another's (tested for the whole
grammar). A text therefore has at most one derivation, and

    -log2 p(text) = sum over its choices of log2(number of options)

is exact: nothing is rejected, and nothing else is random.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import log2, prod
from random import Random
from typing import Literal, NamedTuple

from homespun.errors import DataError
from homespun.storybook.world import World


class Choice(NamedTuple):
    """One choice; all its options were equally likely."""

    name: str
    """The fact introduced, or the rule whose wording was chosen."""
    option: int
    """Index of the option taken."""
    num_options: int


@dataclass(frozen=True)
class Story:
    """A story and its derivation."""

    text: str
    """ASCII, ending in a newline."""
    choices: tuple[Choice, ...]

    @property
    def bits(self) -> float:
        """-log2 of the story's probability; rounded once, at the end."""
        return log2(prod(choice.num_options for choice in self.choices))


class Mismatch(NamedTuple):
    """Where a text leaves the grammar, and what it does there."""

    offset: int
    """Characters that agree with the grammar."""
    kind: Literal["option", "fact", "words", "end", "left over"]
    """option: what is new at a choice is none of its options; fact: a known fact is repeated wrongly; words: a fixed
    wording differs; end: the text ends too early; left over: it continues after the story's end."""
    name: str
    """The choice where kind is "option", else empty."""
    num_choices: int
    """Choices made before."""


class Walk(ABC):
    """A walk through the grammar: answers its choices, receives its text, remembers its facts."""

    def __init__(self) -> None:
        self.world: World = {}
        self.choices: list[Choice] = []

    @abstractmethod
    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        """Return the index of the option to take; `lead_of(i)` is the text that certainly follows option i."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Emit the next words of the story."""

    @abstractmethod
    def story(self) -> Story:
        """Return the finished story."""


class Sampler(Walk):
    """Draw every choice uniformly from `rng`."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._random = rng.random
        self._texts: list[str] = []

    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        # Only random() is guaranteed to give the same numbers in every version of Python; randrange() is not.
        index = int(self._random() * num_options)
        self.choices.append(Choice(name, index, num_options))
        return index

    def say(self, text: str) -> None:
        self._texts.append(text)

    def story(self) -> Story:
        return Story("".join(self._texts), tuple(self.choices))


class Parser(Walk):
    """Recover the choices from a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._at = 0
        self.mismatch: Mismatch | None = None
        """Set when the text has left the grammar, before the error is raised."""

    def choose(self, name: str, num_options: int, lead_of: Callable[[int], str]) -> int:
        for index in range(num_options):
            if self._text.startswith(lead_of(index), self._at):
                self.choices.append(Choice(name, index, num_options))
                return index
        nearest = max(map(lead_of, range(num_options)), key=self._agreement)
        raise self._refuse(nearest, f"one of the {num_options} options of {name!r}, the nearest being ", "option", name)

    def say(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            is_fact = any(text in entry.forms.values() for entry in self.world.values())
            raise self._refuse(text, "", "fact" if is_fact else "words", "")
        self._at += len(text)

    def story(self) -> Story:
        """Return the text with its choices.

        Raises:
            DataError: text is left over.
        """
        if self._at != len(self._text):
            self.mismatch = Mismatch(self._at, "left over", "", len(self.choices))
            raise DataError(
                f"offset {self._at}: the story ends here, but the text continues with "
                f"{self._text[self._at : self._at + 30]!r}; parse one story at a time, without its separator"
            )
        return Story(self._text, tuple(self.choices))

    def _agreement(self, expected: str) -> int:
        """Return how many characters of `expected` the text matches from here."""
        found = self._text[self._at : self._at + len(expected)]
        return next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(found))

    def _refuse(self, expected: str, what: str, kind: Literal["option", "fact", "words"], name: str) -> DataError:
        place = self._at + self._agreement(expected)
        self.mismatch = Mismatch(place, "end" if place == len(self._text) else kind, name, len(self.choices))
        found = self._text[place : place + 30]
        return DataError(
            f"offset {place}: the text leaves the storybook's grammar: "
            f"after {self._text[max(0, place - 30) : place]!r} "
            f"expected {what}{expected[place - self._at :][:60]!r}, "
            f"found {found!r}; only text generated by the storybook can be parsed"
        )
