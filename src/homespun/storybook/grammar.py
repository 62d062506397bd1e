"""The storybook's grammar: every plot's rules and every fact's options, compiled."""

from collections.abc import Mapping, Sequence
from random import Random

from homespun.seeding import derive_seed
from homespun.storybook.telling import Drawing, Reading, Story, Telling
from homespun.storybook.template import Rule, compile_template
from homespun.storybook.world import Entry, Slot

START = "story"


class Grammar:
    """Rules and slots, compiled from their sources.

    Args:
        rules: The wordings of each rule, in the language of `template`; the story is the rule `story`.
        slots: For each fact, where its options come from and which facts it must differ from.
        lists: The lexicon lists that slots may name.
    """

    def __init__(
        self,
        rules: Mapping[str, Sequence[str]],
        slots: Mapping[str, tuple[str, ...]],
        lists: Mapping[str, tuple[Entry, ...]],
    ) -> None:
        self.slots = {fact: Slot(fact, source, tuple(unlike), lists) for fact, (source, *unlike) in slots.items()}
        self.rules = {name: Rule(name) for name in rules}
        for name, sources in rules.items():
            self.rules[name].wordings = tuple(
                compile_template(source, name, self.rules, self.slots) for source in sources
            )

    def tell(self, telling: Telling) -> None:
        """Walk through one story, asking `telling` at every choice."""
        self.rules[START].tell(telling)


class Storybook:
    """All the stories there are; compiled once, then told from or read as often as you like."""

    def __init__(self) -> None:
        # Imported here: the sentences are only needed by who tells or parses.
        from homespun.storybook.lexicon import LISTS, SLOTS
        from homespun.storybook.plots import RULES

        self.grammar = Grammar(RULES, SLOTS, LISTS)

    def draw(self, index: int, *, seed: int) -> Story:
        """Story number `index` of the endless corpus `seed`, the same however many are asked for."""
        drawing = Drawing(Random(derive_seed(seed, f"storybook/{index}")))
        self.grammar.tell(drawing)
        return drawing.story()

    def parse(self, text: str) -> Story:
        """The story that has this text, with its choices.

        Raises:
            DataError: there is none; the message gives the offset where the text leaves the grammar.
        """
        reading = Reading(text)
        self.grammar.tell(reading)
        return reading.story()
