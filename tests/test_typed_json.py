"""JSON as dataclasses: what is taken, what is refused, and the place that is named."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun.typed_json import build_from_json, parse_json, read_json


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
        is_done=st.booleans(),
    )
)
def test_what_is_written_is_read(whole):
    """Oracle: the dataclass before it was written."""
    assert build_from_json(Whole, parse_json(json.dumps(asdict(whole)))) == whole


def test_a_float_may_be_written_without_a_point():
    assert build_from_json(Part, {"name": "a", "share": -3}) == Part(name="a", share=-3.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("kind"), "expected the keys version, parts, .* kind, got"),
        (lambda v: v.update(more=1), "expected the keys"),
        (lambda v: v.update(version=True), "version: True is not"),
        (lambda v: v.update(version=-1), "version: -1 is not"),
        (lambda v: v.update(version=2**63), "version: 9223372036854775808 is not"),
        (lambda v: v.update(version=1.0), r"version: 1\.0 is not"),
        (lambda v: v.update(kind="part"), "kind: 'part' is not"),
        (lambda v: v.update(is_done=1), "is_done: 1 is not"),
        (lambda v: v.update(notes=[]), r"notes: \[\] is not"),
        (lambda v: v.update(parts={}), r"parts: {} is not"),
        (lambda v: v.update(parts=[None]), r"parts: \[0\] expected the keys name, share, got None"),
        (lambda v: v["parts"][0].update(share="much"), r"parts: \[0\] share: 'much' is not"),
        (lambda v: v["parts"][0].update(share=10**400), r"parts: \[0\] share: 1000+ is not"),
        (lambda v: v["pairs"][0].pop(), r"pairs: \[0\] \['a'\] is not"),
        (lambda v: v["pairs"][0].reverse(), r"pairs: \[0\] 1 is not"),
        (lambda v: v.update(only="none"), "only: expected the keys name, share, got 'none'"),
    ],
)
def test_the_place_of_what_is_wrong_is_named(change, message):
    """Oracle: the place that was changed."""
    values = {
        "version": 1, "parts": [{"name": "a", "share": 0.5}], "pairs": [["a", 1]], "only": None, "notes": {},
        "is_done": False, "kind": "whole",
    }  # fmt: skip
    build_from_json(Whole, values)
    change(values)
    with pytest.raises(ValueError, match=f"^file: {message}"):
        build_from_json(Whole, values, "file: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "version None, expected 3"),
        (b'{"version": 2, "new": 1}', "version 2, expected 3"),
        (b'{"version": 3, "new": 1}', "expected the keys"),
    ],
)
def test_a_file_is_named_and_its_version_looked_at_first(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json: {message}"):
        read_json(path, Whole, version=3)
