"""The template language of the storybook's sentences, and the nodes it compiles to.

{hero}  {hero.his}      insert a known fact, plainly or in one of its forms
{+thing}  {+color.a}    choose a new fact, insert it and remember it
[skipped|ran|walked]    choose one wording; each is itself a template, without brackets
{>search}               expand the rule `search`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from homespun.storybook.walk import Walk
from homespun.storybook.world import Slot, World

_NODE = re.compile(r"\{(?P<mark>[+>]?)(?P<name>\w+)(?:\.(?P<form>\w+))?\}|\[(?P<wordings>[^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Literal:
    """Fixed text."""

    text: str

    def expand(self, walk: Walk) -> None:
        walk.say(self.text)


@dataclass(frozen=True, slots=True)
class Mention:
    """A fact introduced earlier."""

    fact: str
    form: str

    def expand(self, walk: Walk) -> None:
        walk.say(walk.world[self.fact].forms[self.form])


@dataclass(frozen=True, slots=True)
class Introduction:
    """A fact that is chosen here."""

    slot: Slot
    form: str

    def expand(self, walk: Walk) -> None:
        options, form = self.slot.options(walk.world), self.form
        index = walk.choose(self.slot.fact, len(options), lambda i: options[i].forms[form])
        walk.world[self.slot.fact] = options[index]
        walk.say(options[index].forms[form])


@dataclass(eq=False, slots=True)
class Rule:
    """Alternative wordings, filled in once all rules exist, because rules refer to each other."""

    name: str
    wordings: tuple["Template", ...] = ()

    def expand(self, walk: Walk) -> None:
        wordings = self.wordings
        index = 0
        if len(wordings) > 1:
            index = walk.choose(self.name, len(wordings), lambda i: wordings[i].lead(walk.world))
        for node in wordings[index].nodes:
            node.expand(walk)


Node = Literal | Mention | Introduction | Rule


@dataclass(frozen=True, slots=True)
class Template:
    """One wording, as its nodes from left to right."""

    nodes: tuple[Node, ...]

    @property
    def leading_nodes(self) -> tuple[Literal | Mention, ...]:
        """The nodes before the first choice."""
        leading: list[Literal | Mention] = []
        for node in self.nodes:
            if not isinstance(node, Literal | Mention):
                break
            leading.append(node)
        return tuple(leading)

    def lead(self, world: World) -> str:
        """Return the text that this wording certainly begins with: all before its first choice."""
        return "".join(
            node.text if isinstance(node, Literal) else world[node.fact].forms[node.form] for node in self.leading_nodes
        )


def compile_template(source: str, name: str, rules: Mapping[str, Rule], slots: Mapping[str, Slot]) -> Template:
    """Compile one wording of the rule `name`.

    Raises:
        KeyError: it refers to an unknown rule or fact.
    """
    nodes: list[Node] = []
    end = 0
    for match in _NODE.finditer(source):
        if match.start() > end:
            nodes.append(Literal(source[end : match.start()]))
        end = match.end()
        mark, fact, form = match["mark"], match["name"], match["form"] or ""
        if match["wordings"] is not None:
            wordings = match["wordings"].split("|")
            inner = f"{name}[{wordings[0]}|...]"
            nodes.append(Rule(inner, tuple(compile_template(wording, inner, rules, slots) for wording in wordings)))
        elif mark == ">":
            nodes.append(rules[fact])
        elif mark == "+":
            nodes.append(Introduction(slots[fact], form))
        else:
            nodes.append(Mention(fact, form))
    if end < len(source):
        nodes.append(Literal(source[end:]))
    return Template(tuple(nodes))
