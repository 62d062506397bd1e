"""What is fuzzed at length by `run.py`, in the ordinary test run: loaders of damaged files."""

import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_SPEC = importlib.util.spec_from_file_location("fuzz_loaders", Path(__file__).with_name("loaders.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
loaders = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(loaders)

# What is odd in one of the formats: other types, numbers too large, half characters, deep nesting, dates that are none.
TOKENS = (
    *(
        b"{",
        b"[",
        b'"',
        b"0",
        b"-1",
        b"1e999",
        b"NaN",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"\xff",
        b"\n",
        b" ",
        b"",
        b"\0",
    ),
    *(b"[" * 2000, b'{"a":' * 2000, b"9" * 5000, b"9" * 400, b'"\\ud800"', b"\xef\xbb\xbf", b"\xc3\xa9" * 40, b"1_0"),
    *(b"2001-99-99", b"&a [*a]", b"!!map [a]", b"!!int x", b"? [a]", b"\t", b"\xff" * 8, b'"a": 1,', b"<|endoftext|>"),
)

# What may stand where JSON has something else.
ODD_VALUES = (
    *(None, True, -1, 2, 2**31, 2**63, 10**400, 0.5, float("nan"), float("inf"), [], {}, [[]], [None], {"a": 1}),
    *("", "a", "1_0", "\ud800", "\0", "../x", "{}", "[[", "0" * 64, "x" * 5000, "<|endoftext|>"),
)
# Loaders of files that begin with an object, and how many odd ones each is given.
BEGIN_WITH_JSON = (
    *("tokenizer.json", "vocab.json and merges.txt", "manifest", "progress", "forged checkpoint", "ranges"),
    *("metrics", "records", "jsonl"),
)
MAX_ODD_OBJECTS = 500

Edit = tuple[float, float, bytes]
edits = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 0.2), st.sampled_from(TOKENS) | st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


def damage(content: bytes, changes: list[Edit]) -> bytes:
    """Put each edit's bytes in place of a stretch: where it begins and how long it is, as parts of the whole."""
    for at, length, put in changes:
        start = int(at * len(content))
        content = content[:start] + put + content[start + int(length * length * len(content)) :]
    return content


def with_odd_values(value: Any) -> Iterator[Any]:
    """`value` with each of ODD_VALUES in each of its places, also in JSON inside its strings, and without each key."""
    yield from ODD_VALUES
    if isinstance(value, str) and value.startswith(("{", "[")):
        yield from (json.dumps(odd) for odd in with_odd_values(json.loads(value)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], odd, *value[index + 1 :]] for odd in with_odd_values(item))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield {other: value[other] for other in value if other != key}
            yield from ({**value, key: odd} for odd in with_odd_values(item))


@pytest.mark.parametrize("name", loaders.LOADERS)
def test_a_whole_file_loads(name, tmp_path):
    """Oracle: the writers of the same formats."""
    seed = loaders.make_seed(name, tmp_path)
    (tmp_path / "loaded").mkdir()
    assert loaders.check(name, tmp_path / "loaded", seed)


@pytest.mark.parametrize("name", loaders.LOADERS)
def test_odd_files_are_read_or_refused(name, tmp_path):
    """Oracle: the same promise, for files that are nothing but one odd thing, once or three times."""
    for token in TOKENS:
        loaders.check(name, tmp_path, token)
        loaders.check(name, tmp_path, token * 3)


@pytest.mark.parametrize("name", loaders.LOADERS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=edits)
def test_a_damaged_file_is_read_or_refused(name, changes):
    """Oracle: the promise that nothing but a HomespunError comes out of a loader."""
    with tempfile.TemporaryDirectory() as directory:
        seed = loaders.make_seed(name, Path(directory))
        loaders.check(name, Path(directory), damage(seed, changes))


@pytest.mark.parametrize("name", BEGIN_WITH_JSON)
def test_odd_values_in_any_place_are_read_or_refused(name, tmp_path):
    """Oracle: the same promise, for JSON that is right but for one value."""
    seed = loaders.make_seed(name, tmp_path).decode("utf-8", "surrogateescape")
    value, end = json.JSONDecoder().raw_decode(seed)
    rest = seed[end:].encode("utf-8", "surrogateescape")
    odd_objects = list(with_odd_values(value))
    for odd in odd_objects[:: -(-len(odd_objects) // MAX_ODD_OBJECTS)]:
        loaders.check(name, tmp_path, json.dumps(odd).encode() + rest)


def test_odd_values_in_any_place_of_a_recipe_are_read_or_refused(tmp_path):
    """Oracle: the same promise; a recipe takes longer to read, so there are fewer."""
    odd_recipes = list(with_odd_values(yaml.safe_load(loaders.RECIPE.read_text(encoding="utf-8"))))
    for odd in odd_recipes[:: -(-len(odd_recipes) // 100)]:
        loaders.check("recipe", tmp_path, json.dumps(odd).encode())
