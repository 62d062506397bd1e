"""The named split patterns, applied character by character, slow and exact: the oracle of the fast splitter's tests.

The classes of characters are the generated ranges that the Rust core uses too.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from homespun.tokenizer.unicode_tables import LETTERS, LOWERCASE, MARKS, NUMBERS, UPPERCASE, WHITE_SPACE


def split_gpt2(text: str) -> Iterator[str]:
    r"""Pre-tokens by `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`."""
    classes = [class_of(character) for character in text]
    begin = 0
    while begin < len(text):
        after_space = begin + (text[begin] == " ")
        if contraction := contraction_in(text[begin : begin + 3]):
            end = begin + len(contraction)
        elif after_space < len(text) and classes[after_space] != "space":
            end = end_of_run(classes, after_space)
        else:
            end = end_of_spaces(classes, begin)
        yield text[begin:end]
        begin = end


def split_gpt4(text: str) -> Iterator[str]:
    r"""Pre-tokens by cl100k's pattern: `split_gpt2` with four differences.

    Contractions in any case; any one character but a line break may stand before letters; numbers by threes; line
    breaks end the punctuation or the white space before them.

        '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+
        |\s++$|\s*[\r\n]|\s+(?!\S)|\s
    """
    classes = [class_of(character) for character in text]
    begin = 0
    while begin < len(text):
        after = begin + (classes[begin] in ("space", "other") and text[begin] not in "\r\n")
        after_space = begin + (text[begin] == " ")
        # The long s is a case of s too.
        if contraction := contraction_in(text[begin : begin + 3].replace("\u017f", "s").lower()):
            end = begin + len(contraction)
        elif after < len(text) and classes[after] == "letter":
            end = end_of_run(classes, after)
        elif classes[begin] == "number":
            end = min(end_of_run(classes, begin), begin + 3)
        elif after_space < len(text) and classes[after_space] == "other":
            end = end_of_run(classes, after_space)
            while end < len(text) and text[end] in "\r\n":
                end += 1
        else:
            run = text[begin : end_of_run(classes, begin)]
            last_break = max(run.rfind("\r"), run.rfind("\n"))
            is_final = begin + len(run) == len(text)
            end = end_of_spaces(classes, begin) if is_final or last_break < 0 else begin + last_break + 1
        yield text[begin:end]
        begin = end


def split_o200k(text: str) -> Iterator[str]:
    r"""Pre-tokens by o200k's pattern: `split_gpt4` with five differences.

    A word is upper case and then lower case; what has no case, marks included, may be in either. A contraction
    belongs to the word before it. Slashes may stand among the line breaks that end punctuation. White space at the end
    is cut after its last line break too.

        [^\r\n\p{L}\p{N}]?UPPER*LOWER+CONTRACTION?|[^\r\n\p{L}\p{N}]?UPPER+LOWER*CONTRACTION?
        |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+

    with UPPER = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], LOWER = [\p{Ll}\p{Lm}\p{Lo}\p{M}] and
    CONTRACTION = (?i:'s|'t|'re|'ve|'m|'ll|'d).
    """
    classes = [class_of(character) for character in text]
    cases = [case_of(character) for character in text]
    begin = 0
    while begin < len(text):
        after = begin + (classes[begin] in ("space", "other") and text[begin] not in "\r\n")
        after_space = begin + (text[begin] == " ")
        # In the order of the regular expression: each alternative with a character before the word, then without.
        words = (end_of_lower_word, end_of_upper_word)
        tries = (end_of_word(cases, start) for end_of_word in words for start in (after, begin))
        if end := next((end for end in tries if end), 0):
            end += len(contraction_in(text[end : end + 3].replace("\u017f", "s").lower()))
        elif classes[begin] == "number":
            end = min(end_of_run(classes, begin), begin + 3)
        elif after_space < len(text) and classes[after_space] == "other":
            end = end_of_run(classes, after_space)
            while end < len(text) and text[end] in "\r\n/":
                end += 1
        else:
            run = text[begin : end_of_run(classes, begin)]
            last_break = max(run.rfind("\r"), run.rfind("\n"))
            end = end_of_spaces(classes, begin) if last_break < 0 else begin + last_break + 1
        yield text[begin:end]
        begin = end


def split_at_matches(text: str, matches: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Pre-tokens by a custom pattern with these matches: each match, and the text between two; empty ones are dropped.

    >>> list(split_at_matches("ab, cd!", [(0, 2), (4, 6)]))
    ['ab', ', ', 'cd', '!']
    """
    end = 0
    for start, stop in [*matches, (len(text), len(text))]:
        yield from filter(None, (text[end:start], text[start:stop]))
        end = stop


def end_of_lower_word(cases: list[str], begin: int) -> int:
    """Where `UPPER*LOWER+` at `begin` ends, or 0: UPPER gives characters back until LOWER has one."""
    for middle in range(end_of_case(cases, begin, "upper"), begin - 1, -1):
        end = end_of_case(cases, middle, "lower")
        if end > middle:
            return end
    return 0


def end_of_upper_word(cases: list[str], begin: int) -> int:
    """Where `UPPER+LOWER*` at `begin` ends, or 0."""
    middle = end_of_case(cases, begin, "upper")
    return end_of_case(cases, middle, "lower") if middle > begin else 0


def end_of_case(cases: list[str], begin: int, case: str) -> int:
    """Where the consecutive characters of `case`, or of both, that start at `begin` end."""
    end = begin
    while end < len(cases) and cases[end] in (case, "both"):
        end += 1
    return end


def contraction_in(text: str) -> str:
    """The contraction of English that `text` begins with, apostrophe included, or nothing."""
    return next((c for c in ("'s", "'d", "'m", "'t", "'ll", "'ve", "'re") if text.startswith(c)), "")


def class_of(character: str) -> str:
    """Which of the patterns' classes `character` is in: "letter", "number", "space" or "other"."""
    for name, ranges in (("letter", LETTERS), ("number", NUMBERS), ("space", WHITE_SPACE)):
        if is_in(character, ranges):
            return name
    return "other"


def case_of(character: str) -> str:
    """The case of `character` in a word: "upper", "lower", "both" if it has none, or "" if it cannot be in a word."""
    for name, ranges in (("upper", UPPERCASE), ("lower", LOWERCASE), ("both", LETTERS), ("both", MARKS)):
        if is_in(character, ranges):
            return name
    return ""


def is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    """Whether `character` is in one of the ascending ranges, both ends included."""
    index = bisect_right(ranges, (ord(character), 0x110000)) - 1
    return index >= 0 and ord(character) <= ranges[index][1]


def end_of_run(classes: list[str], begin: int) -> int:
    """Where the consecutive characters of `begin`'s class end."""
    end = begin
    while end < len(classes) and classes[end] == classes[begin]:
        end += 1
    return end


def end_of_spaces(classes: list[str], begin: int) -> int:
    """Where white space at `begin` ends: before a word, one character of several is left for the word."""
    end = end_of_run(classes, begin)
    return end if end == len(classes) or end - begin == 1 else end - 1


SPLITS = {"gpt2": split_gpt2, "gpt4": split_gpt4, "o200k": split_o200k}
"""By the names of the patterns."""
