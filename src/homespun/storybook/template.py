"""The language in which the storybook's sentences are written, and the parts it compiles to.

{hero}  {hero.his}      say a fact already told, plainly or in one of its forms
{+thing}  {+color.a}    choose a new fact, say it and remember it
[skipped|ran|walked]    choose one wording; each is again a template, without brackets
{>search}               go on with one of the wordings of the rule `search`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from homespun.storybook.telling import Telling
from homespun.storybook.world import Slot, World

_PART = re.compile(r"\{(?P<mark>[+>]?)(?P<name>\w+)(?:\.(?P<form>\w+))?\}|\[(?P<wordings>[^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Literal:
    """Words that stand as they are."""

    text: str

    def tell(self, telling: Telling) -> None:
        telling.say(self.text)


@dataclass(frozen=True, slots=True)
class Mention:
    """A fact spoken of again."""

    fact: str
    form: str

    def tell(self, telling: Telling) -> None:
        telling.say(telling.world[self.fact].forms[self.form])


@dataclass(frozen=True, slots=True)
class Introduction:
    """A fact chosen and said for the first time."""

    slot: Slot
    form: str

    def tell(self, telling: Telling) -> None:
        options, form = self.slot.options(telling.world), self.form
        index = telling.choose(self.slot.fact, len(options), lambda i: options[i].forms[form])
        telling.world[self.slot.fact] = options[index]
        telling.say(options[index].forms[form])


@dataclass(eq=False, slots=True)
class Rule:
    """Several wordings, of which one is told; filled in once all rules have names, as rules name each other."""

    name: str
    wordings: tuple["Template", ...] = ()

    def tell(self, telling: Telling) -> None:
        wordings = self.wordings
        index = 0
        if len(wordings) > 1:
            index = telling.choose(self.name, len(wordings), lambda i: wordings[i].lead(telling.world))
        for part in wordings[index].parts:
            part.tell(telling)


Part = Literal | Mention | Introduction | Rule


@dataclass(frozen=True, slots=True)
class Template:
    """One wording: its parts from left to right."""

    parts: tuple[Part, ...]

    @property
    def leading_parts(self) -> tuple[Literal | Mention, ...]:
        """The parts before the first choice."""
        leading: list[Literal | Mention] = []
        for part in self.parts:
            if not isinstance(part, Literal | Mention):
                break
            leading.append(part)
        return tuple(leading)

    def lead(self, world: World) -> str:
        """The text that is certain once this wording is chosen: all before its first choice."""
        return "".join(
            part.text if isinstance(part, Literal) else world[part.fact].forms[part.form] for part in self.leading_parts
        )


def compile_template(source: str, name: str, rules: Mapping[str, Rule], slots: Mapping[str, Slot]) -> Template:
    """Compile one wording of the rule `name`.

    Raises:
        KeyError: it names a rule or introduces a fact that does not exist.
    """
    parts: list[Part] = []
    end = 0
    for match in _PART.finditer(source):
        if match.start() > end:
            parts.append(Literal(source[end : match.start()]))
        end = match.end()
        mark, fact, form = match["mark"], match["name"], match["form"] or ""
        if match["wordings"] is not None:
            wordings = match["wordings"].split("|")
            inner = f"{name}[{wordings[0]}|...]"
            parts.append(Rule(inner, tuple(compile_template(wording, inner, rules, slots) for wording in wordings)))
        elif mark == ">":
            parts.append(rules[fact])
        elif mark == "+":
            parts.append(Introduction(slots[fact], form))
        else:
            parts.append(Mention(fact, form))
    if end < len(source):
        parts.append(Literal(source[end:]))
    return Template(tuple(parts))
