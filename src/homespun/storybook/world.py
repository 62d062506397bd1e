"""The little world of one story: its people, places and things, and what has been told of them so far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Entry:
    """One thing that can be spoken of: a name, an animal, a place, a colour.

    Two entries are the same only if they are the same object, so that "unlike" (see `Slot`) means what it says.
    """

    forms: Mapping[str, str]
    """How it is said: `""` plainly, `"a"` with its article, `"he"`, `"his"`, `"in"` ... as its kind has them."""

    links: Mapping[str, tuple["Entry", ...]] = field(default_factory=dict)
    """What belongs to it: a place's animals, a seed's dishes."""

    def __str__(self) -> str:
        return self.forms[""]


World = dict[str, Entry]
"""The facts told so far, by name: `hero`, `thing`, `place`, `wish` ... A fact once told never changes."""


@dataclass(frozen=True)
class Slot:
    """A fact that a story may introduce, and where its options come from.

    The options are a lexicon list (`lists`), or what is linked to an earlier fact (`place.animals`), or earlier facts
    themselves (`hero|friend`), less the entries already taken by the facts `unlike`.
    """

    fact: str
    source: str
    unlike: tuple[str, ...]
    lists: Mapping[str, tuple[Entry, ...]]

    def options(self, world: World) -> tuple[Entry, ...]:
        """What may be introduced here, in lexicon order, given all that has been told."""
        options = self.all_options(world)
        taken = [world[fact] for fact in self.unlike if fact in world]
        if not taken:
            return options
        return tuple(option for option in options if option not in taken)

    def all_options(self, world: World) -> tuple[Entry, ...]:
        """The options before those `unlike` are left out."""
        if self.source in self.lists:
            return self.lists[self.source]
        if "|" in self.source:
            return tuple(world[fact] for fact in self.source.split("|"))
        fact, link = self.source.split(".")
        return world[fact].links[link]


def make_entry(text: str, *, links: Mapping[str, tuple[Entry, ...]] | None = None, **forms: str) -> Entry:
    """An entry with its article, small and capital, and any further forms."""
    indefinite = with_article(text)
    return Entry({"": text, "a": indefinite, "A": indefinite[0].upper() + indefinite[1:], **forms}, links or {})


def with_article(text: str) -> str:
    """`text` after "a" or "an", by its first letter; of the lexicon's words only "honest" has a silent one."""
    return f"an {text}" if text[0] in "aeiou" or text.startswith("honest") else f"a {text}"


def make_entries(texts: str | Iterable[str]) -> tuple[Entry, ...]:
    """Entries from a comma-separated list, or from one text each."""
    return tuple(make_entry(text) for text in (split_words(texts) if isinstance(texts, str) else texts))


def split_words(text: str) -> tuple[str, ...]:
    """The items of a comma-separated list that may run over several lines."""
    return tuple(" ".join(item.split()) for item in text.split(","))


def make_person(text: str, pronoun: str, *, links: Mapping[str, tuple[Entry, ...]] | None = None) -> Entry:
    """An entry with the pronouns of "he" or "she", small and capital."""
    he, him, his = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}[pronoun]
    return make_entry(text, links=links, he=he, him=him, his=his, He=he.capitalize(), His=his.capitalize())
