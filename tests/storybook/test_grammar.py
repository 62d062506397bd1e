"""The grammar itself, not samples of it: no option's words begin another's; every fact is told before it is used."""

from itertools import combinations, pairwise

import pytest

from homespun.storybook.grammar import START, Grammar, Storybook
from homespun.storybook.template import Introduction, Literal, Mention, Rule, Template
from homespun.storybook.world import Entry, World, make_entries


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Storybook().grammar


def reachable_rules(start: Rule) -> list[Rule]:
    found: dict[int, Rule] = {}
    waiting = [start]
    while waiting:
        rule = waiting.pop()
        if id(rule) not in found:
            found[id(rule)] = rule
            waiting += [part for wording in rule.wordings for part in wording.nodes if isinstance(part, Rule)]
    return list(found.values())


def domain(grammar: Grammar, fact: str) -> list[Entry]:
    """Every entry that `fact` can be in any story."""
    slot = grammar.slots[fact]
    if isinstance(slot.source, tuple):
        found = slot.source
    elif "|" in slot.source:
        found = [entry for other in slot.source.split("|") for entry in domain(grammar, other)]
    else:
        parent, link = slot.source.split(".")
        found = [entry for owner in domain(grammar, parent) for entry in owner.links[link]]
    return list(dict.fromkeys(found))


def option_lists(grammar: Grammar, fact: str) -> list[list[Entry]]:
    """The lists, one for each state of what `fact` depends on, that its options are all in."""
    slot = grammar.slots[fact]
    if isinstance(slot.source, tuple) or "|" in slot.source:
        return [domain(grammar, fact)]
    parent, link = slot.source.split(".")
    return [list(owner.links[link]) for owner in domain(grammar, parent)]


def can_begin_alike(grammar: Grammar, a: list[Literal | Mention], b: list[Literal | Mention], world: World) -> bool:
    """Whether in some world that extends `world` the text of `a` begins that of `b`, or the reverse."""
    if not a or not b:
        return True
    if isinstance(a[0], Mention) and a[0] == b[0]:
        return can_begin_alike(grammar, a[1:], b[1:], world)
    for parts, is_a in ((a, True), (b, False)):
        head = parts[0]
        if not isinstance(head, Mention):
            continue
        entries = [world[head.fact]] if head.fact in world else domain(grammar, head.fact)
        return any(
            can_begin_alike(
                grammar,
                [Literal(entry.forms[head.form]), *a[1:]] if is_a else a,
                b if is_a else [Literal(entry.forms[head.form]), *b[1:]],
                world | {head.fact: entry},
            )
            for entry in entries
            if may_be(grammar, head.fact, entry, world)
        )
    text_a, text_b = a[0].text, b[0].text  # pyright: ignore[reportAttributeAccessIssue]
    shared = min(len(text_a), len(text_b))
    if text_a[:shared] != text_b[:shared]:
        return False
    rest_a, rest_b = text_a[shared:], text_b[shared:]
    return can_begin_alike(
        grammar,
        [*([Literal(rest_a)] if rest_a else []), *a[1:]],
        [*([Literal(rest_b)] if rest_b else []), *b[1:]],
        world,
    )


def may_be(grammar: Grammar, fact: str, entry: Entry, world: World) -> bool:
    return all(
        other_entry is not entry
        for other, other_entry in world.items()
        if other in grammar.slots[fact].unlike or fact in grammar.slots[other].unlike
    )


def ambiguities(grammar: Grammar) -> list[str]:
    """Every pair of options of which one's words may begin the other's; empty for a uniquely parsed grammar."""
    found = []
    for rule in reachable_rules(grammar.rules[START]):
        for a, b in combinations(rule.wordings, 2):
            if can_begin_alike(grammar, list(a.leading_nodes), list(b.leading_nodes), {}):
                found.append(f"{rule.name}: {a.leading_nodes} / {b.leading_nodes}")
        for wording in rule.wordings:
            for part in wording.nodes:
                if isinstance(part, Introduction):
                    found += ambiguous_entries(grammar, part)
    return found


def ambiguous_entries(grammar: Grammar, introduction: Introduction) -> list[str]:
    found = []
    for options in option_lists(grammar, introduction.slot.fact):
        texts = sorted(option.forms[introduction.form] for option in options)
        # Among sorted texts, one that begins any other begins its successor.
        found += [f"{introduction.slot.fact}: {a!r} / {b!r}" for a, b in pairwise(texts) if b.startswith(a)]
    return found


def test_no_option_begins_another(grammar):
    """Oracle: the definition of a prefix code, checked for every choice in every world.

    A text with two derivations would have a first choice at which they differ; the words of one option would then
    begin those of the other, or of what the other can go on with.
    """
    assert ambiguities(grammar) == []


@pytest.mark.parametrize(
    "wordings",
    [
        ("one", "one more"),
        ("{+a} is here", "red is here"),
        ("[x|y] z", "w"),
        ("see {b}!", "see {a}"),
    ],
)
def test_the_check_finds_planted_ambiguities(wordings):
    colors = make_entries("red, blue")
    rules = {START: ("{+a} and {+b}: {>tail}",), "tail": wordings}
    planted = Grammar(rules, {"a": (colors,), "b": (colors,)})
    assert ambiguities(planted)


def tell_abstractly(rule: Rule, surely: frozenset[str], perhaps: set[str], problems: list[str]) -> frozenset[str]:
    """Walk all stories at once: what is surely told, and (in `perhaps`) what may have been, after `rule`."""
    outcomes = []
    entered = set(perhaps)
    for wording in rule.wordings:
        told, maybe = surely, set(entered)
        for part in wording.nodes:
            if isinstance(part, Mention) and part.fact not in told:
                problems.append(f"{rule.name}: {part.fact} is mentioned before it is surely introduced")
            elif isinstance(part, Introduction):
                check_introduction(rule, part, told, maybe, problems)
                told |= {part.slot.fact}
                maybe.add(part.slot.fact)
            elif isinstance(part, Rule):
                told = tell_abstractly(part, told, maybe, problems)
        outcomes.append(told)
        perhaps |= maybe
    return frozenset.intersection(*outcomes)


def check_introduction(
    rule: Rule, part: Introduction, told: frozenset[str], maybe: set[str], problems: list[str]
) -> None:
    if part.slot.fact in maybe:
        problems.append(f"{rule.name}: {part.slot.fact} may be introduced twice")
    if isinstance(part.slot.source, str):
        needed = part.slot.source.split("|") if "|" in part.slot.source else part.slot.source.split(".")[:1]
        problems += [f"{rule.name}: {part.slot.fact} needs {fact}" for fact in needed if fact not in told]


def test_every_fact_is_introduced_once_and_before_it_is_used(grammar):
    """Oracle: an abstract walk that keeps, at every point, the facts told on every path and on any path."""
    problems: list[str] = []
    tell_abstractly(grammar.rules[START], frozenset(), set(), problems)
    assert sorted(set(problems)) == []


def test_every_rule_and_slot_is_used(grammar):
    used = {rule.name for rule in reachable_rules(grammar.rules[START])}
    assert set(grammar.rules) - used == set()
    introduced = {
        part.slot.fact
        for rule in reachable_rules(grammar.rules[START])
        for wording in rule.wordings
        for part in wording.nodes
        if isinstance(part, Introduction)
    }
    assert set(grammar.slots) - introduced == set()


def test_every_state_leaves_an_option(grammar):
    """Every list is longer than the number of facts that may take from it, so no story can get stuck."""
    for fact, slot in grammar.slots.items():
        for options in option_lists(grammar, fact):
            assert len(options) > len(slot.unlike), fact


def test_wordings_are_clean(grammar):
    for rule in reachable_rules(grammar.rules[START]):
        for wording in rule.wordings:
            assert_clean(rule, wording)


def assert_clean(rule: Rule, wording: Template) -> None:
    for part in wording.nodes:
        if isinstance(part, Literal):
            assert part.text.isascii(), rule.name
            assert not set(part.text) & set("{}[]<>|"), (rule.name, part.text)
            assert "  " not in part.text, (rule.name, part.text)
