"""The state of one story: its people, places and things, and the facts known so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Entry:
    """An item of the lexicon: a name, an animal, a place, a colour.

    Entries compare by identity, which is what `Slot.unlike` relies on.
    """

    forms: Mapping[str, str]
    """Its text by form: `""` plain, `"a"` with its article, `"he"`, `"his"`, `"in"` ... as its kind has them."""

    links: Mapping[str, tuple["Entry", ...]] = field(default_factory=dict)
    """Entries that belong to it: a place's animals, a seed's dishes."""

    def __str__(self) -> str:
        return self.forms[""]


World = dict[str, Entry]
"""The facts known so far, by name: `hero`, `thing`, `place` ... A fact never changes once it is known."""


@dataclass(frozen=True)
class Slot:
    """A fact that a story may introduce, and the source of its options.

    The source is a list of the lexicon, the entries linked to an earlier fact ("place.animals"), or earlier facts
    ("hero|friend"). The options are its entries without those that the facts in `unlike` have.
    """

    fact: str
    source: str | tuple[Entry, ...]
    unlike: tuple[str, ...]

    def options(self, world: World) -> tuple[Entry, ...]:
        """Return the options in lexicon order, given the facts known so far."""
        if isinstance(self.source, tuple):
            options = self.source
        elif "|" in self.source:
            options = tuple(world[fact] for fact in self.source.split("|"))
        else:
            fact, link = self.source.split(".")
            options = world[fact].links[link]
        taken = [world[fact] for fact in self.unlike if fact in world]
        return tuple(option for option in options if option not in taken) if taken else options


def make_entry(
    text: str, *, forms: Mapping[str, str] | None = None, links: Mapping[str, tuple[Entry, ...]] | None = None
) -> Entry:
    """Return an entry with its article, in lower and upper case, and any further forms."""
    indefinite = with_article(text)
    articles = {"": text, "a": indefinite, "A": indefinite[0].upper() + indefinite[1:]}
    return Entry({**articles, **(forms or {})}, links or {})


def with_article(text: str) -> str:
    """Return `text` with "a" or "an", by its first letter; "honest" is the lexicon's only word with a silent h."""
    return f"an {text}" if text[0] in "aeiou" or text.startswith("honest") else f"a {text}"


def make_entries(
    texts: str, *, forms: Mapping[str, str] | None = None, links: Mapping[str, tuple[Entry, ...]] | None = None
) -> tuple[Entry, ...]:
    """Return an entry for each text of a comma-separated list, all with the same further forms and links."""
    return tuple(make_entry(text, forms=forms, links=links) for text in split_words(texts))


def split_words(text: str) -> tuple[str, ...]:
    """Split a comma-separated list, which may span several lines."""
    return tuple(" ".join(item.split()) for item in text.split(","))
