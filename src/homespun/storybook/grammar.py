"""The storybook's grammar: the rules of every plot and the options of every fact, compiled."""

from collections.abc import Mapping, Sequence
from random import Random

from homespun.errors import DataError
from homespun.seeding import derive_seed
from homespun.storybook.template import Rule, compile_template
from homespun.storybook.walk import Mismatch, Parser, Sampler, Story, Walk
from homespun.storybook.world import Entry, Slot

START = "story"


class Grammar:
    """Compiled rules and slots.

    Args:
        rules: The wordings of each rule, in the language of `template`; a story is an expansion of the rule `story`.
        slots: For each fact, the source of its options, as `Slot` defines it, and the facts it must differ from.
    """

    def __init__(
        self,
        rules: Mapping[str, Sequence[str]],
        slots: Mapping[str, tuple[str | tuple[Entry, ...], *tuple[str, ...]]],
    ) -> None:
        self.slots = {fact: Slot(fact, source, tuple(unlike)) for fact, (source, *unlike) in slots.items()}
        self.rules = {name: Rule(name) for name in rules}
        for name, sources in rules.items():
            self.rules[name].wordings = tuple(
                compile_template(source, name, self.rules, self.slots) for source in sources
            )

    def expand(self, walk: Walk) -> None:
        """Generate or parse one story, asking `walk` at every choice."""
        self.rules[START].expand(walk)


class Storybook:
    """The compiled storybook, which draws and parses stories."""

    def __init__(self) -> None:
        # Imported here, so that importing this module does not build the lexicon.
        from homespun.storybook.lexicon import SLOTS
        from homespun.storybook.plots import RULES

        self.grammar = Grammar(RULES, SLOTS)

    def draw(self, index: int, *, seed: int) -> Story:
        """Return story `index` of the endless corpus `seed`; it does not depend on how many are drawn."""
        sampler = Sampler(Random(derive_seed(seed, f"storybook/{index}")))
        self.grammar.expand(sampler)
        return sampler.story()

    def parse(self, text: str) -> Story:
        """Return the story whose text is `text`, with its choices.

        Raises:
            DataError: no story has this text; the message gives the offset of the first mismatch.
        """
        parser = Parser(text)
        self.grammar.expand(parser)
        return parser.story()

    def follow(self, text: str) -> Story | Mismatch:
        """Return the story whose text is `text`, or where the text leaves the grammar: for texts of a model."""
        parser = Parser(text)
        try:
            self.grammar.expand(parser)
            return parser.story()
        except DataError:
            assert parser.mismatch is not None, "the parser says where before it raises"
            return parser.mismatch
