r"""The named split patterns, run by Python's `re`: the oracle of the fast splitters' tests.

`re` has no `\p{...}`, and its `\s` has four control characters more than Unicode's White_Space. So both are written as
the generated ranges of characters that the Rust core uses too.
"""

import re
from collections.abc import Iterable, Iterator

from homespun.tokenizer.unicode_tables import LETTERS, LOWERCASE, MARKS, NUMBERS, UPPERCASE, WHITE_SPACE


def contents_of(ranges: tuple[tuple[int, int], ...]) -> str:
    """The contents of a bracket expression with these ranges, both ends included."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# Letters, numbers, white space, marks.
L, N, S, M = map(contents_of, (LETTERS, NUMBERS, WHITE_SPACE, MARKS))
# [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}]: what has no case, marks included, is in both.
UPPER = f"(?:(?![{contents_of(LOWERCASE)}])[{L}{M}])"
LOWER = f"(?:(?![{contents_of(UPPERCASE)}])[{L}{M}])"

GPT2 = rf"'(?:[sdmt]|ll|ve|re)| ?[{L}]+| ?[{N}]+| ?[^{S}{L}{N}]+|[{S}]+(?![^{S}])|[{S}]+"

# Contractions in any case; any one character but a line break may stand before letters; numbers by threes; line
# breaks end the punctuation or the white space before them.
GPT4 = (
    rf"'(?i:[sdmt]|ll|ve|re)|[^\r\n{L}{N}]?+[{L}]++|[{N}]{{1,3}}+| ?[^{S}{L}{N}]++[\r\n]*+"
    rf"|[{S}]++\Z|[{S}]*[\r\n]|[{S}]+(?![^{S}])|[{S}]"
)

# A word is upper case and then lower case. A contraction belongs to the word before it. Slashes may stand among the
# line breaks that end punctuation. White space at the end is cut after its last line break too.
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    rf"[^\r\n{L}{N}]?{UPPER}*{LOWER}+{CONTRACTION}|[^\r\n{L}{N}]?{UPPER}+{LOWER}*{CONTRACTION}"
    rf"|[{N}]{{1,3}}| ?[^{S}{L}{N}]+[\r\n/]*|[{S}]*[\r\n]+|[{S}]+(?![^{S}])|[{S}]+"
)


def split_gpt2(text: str) -> list[str]:
    """Pre-tokens by GPT-2's pattern."""
    return re.findall(GPT2, text)


def split_gpt4(text: str) -> list[str]:
    """Pre-tokens by cl100k's pattern."""
    return re.findall(GPT4, text)


def split_o200k(text: str) -> list[str]:
    """Pre-tokens by o200k's pattern."""
    return re.findall(O200K, text)


def split_at_matches(text: str, matches: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Pre-tokens by a custom pattern with these matches: each match, and the text between two; empty ones are dropped.

    >>> list(split_at_matches("ab, cd!", [(0, 2), (4, 6)]))
    ['ab', ', ', 'cd', '!']
    """
    end = 0
    for start, stop in [*matches, (len(text), len(text))]:
        yield from filter(None, (text[end:start], text[start:stop]))
        end = stop


SPLITS = {"gpt2": split_gpt2, "gpt4": split_gpt4, "o200k": split_o200k}
"""By the names of the patterns."""
