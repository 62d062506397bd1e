"""The generated classes of characters against two independent implementations of Unicode."""

import re
from itertools import pairwise

import pytest
import regex

from homespun._native import GPT2_PATTERN, O200K_PATTERN, split
from homespun.tokenizer.reference_splitting import S
from homespun.tokenizer.unicode_tables import (
    LETTERS,
    LOWERCASE,
    MARKS,
    NUMBERS,
    UNICODE_VERSION,
    UPPERCASE,
    WHITE_SPACE,
)

CLASSES = {
    r"\p{L}": LETTERS,
    r"[\p{Lu}\p{Lt}]": UPPERCASE,
    r"\p{Ll}": LOWERCASE,
    r"\p{M}": MARKS,
    r"\p{N}": NUMBERS,
    r"\s": WHITE_SPACE,
}

unicodedata2 = pytest.importorskip("unicodedata2", reason="unicodedata2 says what Unicode 16.0 assigns")

SINCE_17 = {0x0295}
"""Whose category Unicode 17.0 changed: it has no case any more."""


@pytest.fixture(scope="module")
def assigned() -> str:
    """Every character that Unicode 16.0 assigns, surrogates and private use included."""
    everything = map(chr, range(0x110000))
    return "".join(character for character in everything if unicodedata2.category(character) != "Cn")


def test_version_is_the_one_promised():
    """Oracle: the version that tiktoken has, and the peer's own."""
    assert UNICODE_VERSION == "16.0.0" == unicodedata2.unidata_version


@pytest.mark.parametrize(("pattern", "ranges"), CLASSES.items(), ids=CLASSES)
def test_ranges_equal_regex_on_every_assigned_character(ranges, pattern, assigned):
    """Oracle: `regex`, whose Unicode is newer and therefore asked only about what 16.0 assigns."""
    in_ranges = {point for first, last in ranges for point in range(first, last + 1)}
    assert in_ranges ^ set(map(ord, regex.findall(pattern, assigned))) <= SINCE_17


@pytest.mark.parametrize(
    "pattern",
    [GPT2_PATTERN, O200K_PATTERN, r"\p{L}+|\p{N}+|\s+|[^\s\p{L}\p{N}]+"],
    ids=["gpt2", "o200k", "by engine"],
)
def test_the_core_classes_every_assigned_character_alike(pattern, assigned):
    """Oracle: `regex` with the same pattern, on every character between letters, a digit and a full stop."""
    characters = [character for character in assigned if not "\ud800" <= character <= "\udfff"]
    text = "".join(f"a{character}A{character}1{character}." for character in characters)
    assert split(text, pattern) == regex.findall(pattern, text)


def test_ranges_ascend_without_touching():
    """Oracle: what bisection needs."""
    for ranges in CLASSES.values():
        assert all(first <= last for first, last in ranges)
        assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))


def test_information_separators_are_no_white_space():
    """Oracle: White_Space of PropList.txt, which str.isspace departs from at U+001C ... U+001F."""
    assert not any(re.match(f"[{S}]", chr(point)) for point in range(0x1C, 0x20))
    assert all(chr(point).isspace() for point in range(0x1C, 0x20))
