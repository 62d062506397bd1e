"""JSON as dataclasses: what is taken, what is refused, and the place that is named."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun.typed_json import build_from_json, parse_json, read_json
from refusals import refuses


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Whole:
    version: int
    parts: list[Part]
    pairs: list[tuple[str, int]]
    only: Part | None
    notes: dict[str, Any]
    counts: dict[str, int]
    is_done: bool
    kind: Literal["whole"] = "whole"


COUNTS = st.integers(0, 2**63 - 1)
PARTS = st.builds(Part, name=st.text(), share=st.floats(allow_nan=False))
NOTES = st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.booleans()))


@given(
    st.builds(
        Whole,
        version=COUNTS,
        parts=st.lists(PARTS),
        pairs=st.lists(st.tuples(st.text(), COUNTS)),
        only=st.none() | PARTS,
        notes=NOTES,
        counts=st.dictionaries(st.text(), COUNTS),
        is_done=st.booleans(),
    )
)
def test_what_is_written_is_read(whole):
    """Oracle: the dataclass before it was written."""
    assert build_from_json(Whole, parse_json(json.dumps(asdict(whole)))) == whole


def test_a_float_may_be_written_without_a_point():
    assert build_from_json(Part, {"name": "a", "share": -3}) == Part(name="a", share=-3.0)


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda v: v.pop("kind"), ["kind"]),
        (lambda v: v.update(more=1), ["more", "version, parts, pairs"]),
        (lambda v: v.update(version=True), ["version:", "True"]),
        (lambda v: v.update(version=-1), ["version:", "-1"]),
        (lambda v: v.update(version=2**63), ["version:", "9223372036854775808"]),
        (lambda v: v.update(version=1.0), ["version:", "1.0"]),
        (lambda v: v.update(kind="part"), ["kind:", "whole", "'part'"]),
        (lambda v: v.update(is_done=1), ["is_done:", "true or false", "1"]),
        (lambda v: v.update(notes=[]), ["notes:", "[]"]),
        (lambda v: v.update(counts={"a": "1"}), ["counts.a:", "'1'"]),
        (lambda v: v.update(parts={}), ["parts:", "{}"]),
        (lambda v: v.update(parts=[None]), ["parts[0]:", "name, share", "None"]),
        (lambda v: v["parts"][0].update(share="much"), ["parts[0].share:", "a number", "'much'"]),
        (lambda v: v["parts"][0].update(share=10**400), ["parts[0].share:", "1000"]),
        (lambda v: v["pairs"][0].pop(), ["pairs[0]:", "a list of 2", "['a']"]),
        (lambda v: v["pairs"][0].reverse(), ["pairs[0][0]:", "1"]),
        (lambda v: v.update(only="none"), ["only:", "name, share", "'none'"]),
    ],
)
def test_the_place_of_what_is_wrong_is_named(change, facts):
    """Oracle: the place that was changed."""
    values = {
        "version": 1, "parts": [{"name": "a", "share": 0.5}], "pairs": [["a", 1]], "only": None, "notes": {},
        "counts": {}, "is_done": False, "kind": "whole",
    }  # fmt: skip
    build_from_json(Whole, values)
    change(values)
    with refuses(ValueError, "file: ", *facts):
        build_from_json(Whole, values, "file: ")


@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float = 1.0
    kind: Literal["circle"] = "circle"


@dataclass(frozen=True, kw_only=True)
class Square:
    side: int
    kind: Literal["square"] = "square"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    shape: Circle | Square = field(default_factory=Circle)
    others: tuple[Circle | Square, ...] = ()


def test_a_union_is_told_apart_by_kind_and_defaults_may_be_left_out():
    """Oracle: the dataclasses written out."""
    assert build_from_json(Drawing, {}, allow_defaults=True) == Drawing()
    values = {"shape": {"kind": "square", "side": 2}, "others": [{"radius": 3}, {"kind": "square", "side": 1}]}
    built = build_from_json(Drawing, values, allow_defaults=True)
    assert built == Drawing(shape=Square(side=2), others=(Circle(radius=3.0), Square(side=1)))


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"shape": {"kind": "oval"}}, ["shape.kind", "circle, square", "'oval'"]),
        ({"shape": {"kind": []}}, ["shape.kind", "[]"]),
        ({"shape": {"kind": "square"}}, ["shape.side"]),
        ({"others": [{"side": 1}]}, ["others[0].side", "radius, kind"]),
        ({"others": 3}, ["others", "a list", "3"]),
    ],
)
def test_a_union_of_another_kind_is_refused(values, facts):
    """Oracle: the keys of the kind that is stated, or of the first."""
    with refuses(ValueError, *facts):
        build_from_json(Drawing, values, allow_defaults=True)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "version None"),
        (b'{"version": 2, "new": 1}', "version 2"),
        (b'{"version": 3, "new": 1}', "new"),
    ],
)
def test_a_file_is_named_and_its_version_looked_at_first(tmp_path, content, fact):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with refuses(ValueError, path, fact):
        read_json(path, Whole, version=3)
