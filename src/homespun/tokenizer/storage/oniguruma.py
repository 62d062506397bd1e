r"""The dialect of regular expressions in a tokenizer.json, which Hugging Face's tokenizers run on Oniguruma.

The same characters mean different things there and to our engine, fancy-regex, so a pattern is translated construct by
construct, and what cannot be translated is refused:

    Oniguruma (Ruby's syntax)                       fancy-regex (Rust's syntax)
    {1,3}+        one to three, once or more        one to three, possessive
    ^  $          at every line                     at the text's two ends
    (?m)  (?s)    dot matches \n; unknown           ^ $ at every line; dot matches \n
    \w  \b        without U+200C and U+200D         with them
    [[:alpha:]]   of all scripts                    of ASCII
    \<            a less-than sign                  the start of a word

Oniguruma's own `\w` outside brackets also has six characters of Latin-1 that its `[\w]` lacks. The tables below were
checked over all code points against tokenizers 0.23.

Source: Oniguruma 6.9 doc/RE and doc/SYNTAX.md; the documentation of the crates fancy-regex and regex.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from homespun.errors import TokenizerError

_JOINERS = r"\x{200C}\x{200D}"
# Classes that both dialects define alike, so that a translation can be translated back.
_WORD_IN_BRACKETS = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"
_WORD = rf"[{_WORD_IN_BRACKETS}\x{{B2}}\x{{B3}}\x{{B9}}\x{{BC}}-\x{{BE}}]"
_HEX = "0-9A-Fa-f"


@dataclass(frozen=True, kw_only=True)
class _Dialect:
    """How each construct that may be used is written in the other dialect."""

    name: str
    escapes: dict[str, str]
    """By the letter after the backslash, outside brackets."""
    bracket_escapes: dict[str, str]
    posix: dict[str, str]
    """Contents of a bracket expression, by the name between `[:` and `:]`."""
    dot_all: str
    """The flag with which a dot matches line breaks, and the other dialect's."""
    word: str
    r"""What `\b` looks for, in the other dialect."""

    @cached_property
    def boundaries(self) -> dict[str, str]:
        r"""`\b` and `\B`: whether exactly one neighbour is of `word`."""
        word = self.word
        return {
            "b": f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))",
            "B": f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))",
        }


_SAME = {letter: f"\\{letter}" for letter in "dDsStnrf"} | {"v": r"\x0B", "a": r"\x07", "e": r"\x1B"}
_ONIGURUMA = _Dialect(
    name="Oniguruma",
    escapes=_SAME
    | {"w": _WORD, "W": f"[^{_WORD[1:]}", "h": f"[{_HEX}]", "H": f"[^{_HEX}]"}
    | {"A": r"\A", "z": r"\z", "Z": r"(?=\n?\z)", "<": r"\x3C", ">": r"\x3E"},
    bracket_escapes=_SAME
    | {"w": _WORD_IN_BRACKETS, "W": f"[^{_WORD_IN_BRACKETS}]", "h": _HEX, "<": r"\x3C", ">": r"\x3E"},
    posix={
        "alpha": r"\p{Alphabetic}",
        "digit": r"\p{Nd}",
        "alnum": r"\p{Alphabetic}\p{Nd}",
        "upper": r"\p{Uppercase}",
        "lower": r"\p{Lowercase}",
        "space": r"\s",
        "blank": r"\p{Zs}\t",
        "cntrl": r"\p{Cc}",
        "punct": r"\p{P}\p{S}",
        "xdigit": _HEX,
        "word": _WORD_IN_BRACKETS,
    },
    dot_all="ms",
    word=_WORD,
)
_RUST_WORD = rf"[\w{_JOINERS}]"
_RUST = _Dialect(
    name="fancy-regex",
    escapes=_SAME | {"w": _RUST_WORD, "W": rf"[^\w{_JOINERS}]", "h": r"\h", "H": r"\H", "A": r"\A", "z": r"\z"},
    bracket_escapes=_SAME | {"w": rf"\w{_JOINERS}", "W": rf"[^\w{_JOINERS}]"},
    posix={
        "alpha": "a-zA-Z",
        "digit": "0-9",
        "alnum": "a-zA-Z0-9",
        "upper": "A-Z",
        "lower": "a-z",
        "space": r"\t-\r\x20",
        "blank": r"\t\x20",
        "cntrl": r"\x00-\x1F\x7F",
        "punct": r"!-/:-@\[-`{-~",
        "xdigit": _HEX,
        "word": "a-zA-Z0-9_",
    },
    dot_all="sm",
    word=_RUST_WORD,
)

# Properties that only Oniguruma has, or defines differently.
_OTHER_PROPERTIES = {"alnum", "blank", "cntrl", "digit", "graph", "print", "word", "xdigit"}
# Two letters that Oniguruma, ignoring case, also finds in one character such as U+00DF or U+FB01.
_FOLDED_PAIRS = {"ss", "st", "ff", "fi", "fl"}
_QUANTIFIER = re.compile(
    r"(?P<simple>[*+?])(?P<mode>[+?]?)|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\}(?P<suffix>[+?]?)"
)
_GROUP = re.compile(r"\((?:\?(?P<kind>:|=|!|>|<=|<!|(?P<on>[ims]*)(?:-(?P<off>[ims]+))?(?P<end>[:)])|<[A-Za-z_]\w*>))?")
_PROPERTY = re.compile(r"[pP]\{(?P<negated>\^?)(?P<name>[A-Za-z][A-Za-z0-9_ ]*)\}|[pP](?P<short>[LMNPSZC])")
_CODE_POINT = re.compile(r"x\{(?P<braces>[0-9A-Fa-f]+)\}|x(?P<two>[0-9A-Fa-f]{2})|u(?P<four>[0-9A-Fa-f]{4})")


def from_oniguruma(regex: str) -> str:
    r"""Translate a pattern of a tokenizer.json into one with the same matches for our engine.

        >>> from_oniguruma(r"\p{N}{1,3}+| ?$")
        '(?:\\p{N}{1,3})+| ?(?=\\n|\\z)'

    Raises:
        TokenizerError: it has a construct whose meaning is not known to be the same.
    """
    return _Translation(regex, _ONIGURUMA).run()


def to_oniguruma(pattern: str) -> str:
    r"""Translate a pattern of our engine for a tokenizer.json.

        >>> to_oniguruma(r"\p{N}{1,3}+| ?$")
        '(?>\\p{N}{1,3})| ?\\z'

    Raises:
        TokenizerError: as `from_oniguruma`.
    """
    return _Translation(pattern, _RUST).run()


class _Translation:
    """One pass over a pattern from left to right, copying or replacing each construct."""

    def __init__(self, source: str, dialect: _Dialect) -> None:
        self.source = source
        self.dialect = dialect
        self.at = 0
        self.out: list[str] = []
        # The flags of each open group, and where its translation begins in `out`.
        self.groups: list[tuple[set[str], int]] = []
        self.flags: set[str] = set()
        # Where the translation of what a quantifier would repeat begins; None where nothing can be repeated.
        self.atom: int | None = None
        self.letter = ""

    def run(self) -> str:
        while self.at < len(self.source):
            self._translate_next(self.source[self.at])
        return "".join(self.out)

    def _translate_next(self, character: str) -> None:
        letter, self.letter = self.letter, ""
        if character == "(":
            self._open_group()
        elif character == ")" and self.groups:
            self.flags, self.atom = self.groups.pop()
            self._copy(")", atom=self.atom)
        elif character == "|":
            self._copy("|", atom=None)
        elif character == "[":
            self._emit(self._bracket())
        elif character == "\\":
            self._emit(self._escape(self.dialect.escapes | self.dialect.boundaries))
        elif character in "*+?{":
            self._quantify()
        elif character in "^$":
            self.at += 1
            self._emit(self._anchor(character))
        elif character in ")}]":
            self._refuse(character, "unmatched")
        else:
            self._check_case(letter, character)
            self._copy(character, atom=len(self.out))

    def _copy(self, text: str, *, atom: int | None) -> None:
        self.out.append(text)
        self.at += len(text)
        self.atom = atom

    def _emit(self, text: str) -> None:
        self.atom = len(self.out)
        self.out.append(text)

    def _check_case(self, before: str, character: str) -> None:
        if "i" in self.flags and character.isalpha():
            if not character.isascii() or (before + character).lower() in _FOLDED_PAIRS:
                self._refuse(before + character, "ignoring case")
            self.letter = character

    def _anchor(self, character: str) -> str:
        if self.dialect is _ONIGURUMA:
            # No line begins at the end of the text.
            return r"(?:\A|(?<=\n)(?!\z))" if character == "^" else r"(?=\n|\z)"
        if "m" in self.flags:
            return r"(?:\A|(?<=\n))" if character == "^" else r"(?=\n|\z)"
        return r"\A" if character == "^" else r"\z"

    def _open_group(self) -> None:
        found = _GROUP.match(self.source, self.at)
        if found is None or self.source.startswith("(?", self.at) > (found["kind"] is not None):
            self._refuse(self.source[self.at : self.at + 3])
        kind, flags = found["kind"] or ":", self.flags
        if found["end"]:
            on, off = set(found["on"]), set(found["off"] or "")
            if "s" in on | off and self.dialect is _ONIGURUMA:
                self._refuse(found[0], "the flag s")
            if found["end"] == ")" and self.at > 0:
                # To Oniguruma the alternatives that follow belong to it.
                self._refuse(found[0], "flags in the middle of a pattern; write (?i:...)")
            flags = (self.flags | on) - off
            ours, theirs = self.dialect.dot_all
            signs = ["".join(sorted({"i": "i", ours: theirs}[f] for f in fs & {"i", ours})) for fs in (on, off)]
            kind = signs[0] + (f"-{signs[1]}" if signs[1] else "") + found["end"]
        elif kind.startswith("<") and kind not in ("<=", "<!"):
            kind = ":"
        self.at = found.end()
        if kind.endswith(")"):
            self.flags = flags
            self.out.append(f"(?{kind}" if kind != ")" else "")
            return
        self.groups.append((self.flags, len(self.out)))
        self.flags, self.atom = flags, None
        self.out.append(f"(?{kind}")

    def _quantify(self) -> None:
        found = _QUANTIFIER.match(self.source, self.at)
        if found is None or self.atom is None:
            self._refuse(self.source[self.at], "nothing to repeat, or a brace that is not escaped")
        atom = "".join(self.out[self.atom :])
        self.at = found.end()
        if found["simple"]:
            repeated = atom + found[0]
        else:
            least, most, suffix = found["least"], found["most"], found["suffix"]
            if not (least or most) or (least and most and int(least) > int(most)) or "i" in self.flags:
                self._refuse(found[0])
            is_exact = not found["comma"]
            repeated = f"{atom}{{{least or 0}{found['comma']}{most}}}"
            if suffix == "+":
                repeated = f"(?:{repeated})+" if self.dialect is _ONIGURUMA else f"(?>{repeated})"
            elif suffix and is_exact:
                repeated = f"(?:{repeated})?" if self.dialect is _ONIGURUMA else repeated
            else:
                repeated += suffix
        del self.out[self.atom :]
        self.out.append(repeated)
        # Engines differ in how they read a quantifier of a quantifier.
        self.atom = None

    def _escape(self, known: dict[str, str]) -> str:
        start, self.at = self.at, self.at + 2
        letter = self.source[start + 1 : start + 2]
        if found := _PROPERTY.match(self.source, start + 1):
            return self._property(found)
        if found := _CODE_POINT.match(self.source, start + 1):
            self.at = found.end()
            code = int(found["braces"] or found["two"] or found["four"], 16)
            if found["two"] and code > 0x7F and self.dialect is _ONIGURUMA:
                self._refuse(found[0], "a byte that is no character")
            if "i" in self.flags and chr(code).isalpha():
                self._refuse(found[0], "ignoring case")
            return f"\\x{{{code:X}}}"
        if letter in known:
            return known[letter]
        if not letter or letter.isalnum() or not letter.isascii() or letter in "<>":
            self._refuse(f"\\{letter}")
        return f"\\{letter}"

    def _property(self, found: re.Match[str]) -> str:
        name = found["name"] or found["short"]
        if "i" in self.flags or name.lower() in _OTHER_PROPERTIES or (found["short"] and self.dialect is _ONIGURUMA):
            self._refuse(f"\\{found[0]}")
        self.at = found.end()
        is_negated = (found[0][0] == "P") != bool(found["negated"])
        return f"\\{'P' if is_negated else 'p'}{{{name}}}"

    def _bracket(self) -> str:
        """Translate a bracket expression, nested ones included."""
        negated = self.source.startswith("[^", self.at)
        self.at += 1 + negated
        out = ["[^" if negated else "["]
        is_first = True
        while not self.source.startswith("]", self.at):
            rest = self.source[self.at :]
            if posix := re.match(r"\[:(\^?)([a-z]+):\]", rest):
                contents = self.dialect.posix.get(posix[2]) or self._refuse(posix[0])
                self.at += posix.end()
                out.append(f"[{posix[1]}{contents}]")
            elif rest[:1] == "[":
                out.append(self._bracket())
            elif rest[:1] == "\\":
                out.append(self._escape(self.dialect.bracket_escapes))
            elif rest[:2] in ("&&", "--", "~~") or not rest or ("i" in self.flags and not rest[0].isascii()):
                self._refuse(rest[:2] or "[", "in brackets")
            elif rest[0] == "-" and (is_first or rest[1:2] == "]" or re.fullmatch(r"\[.*|\\[a-zA-Z].*", out[-1])):
                out.append(r"\-")
                self.at += 1
            else:
                out.append(rest[0])
                self.at += 1
            is_first = False
        if is_first:
            self._refuse("[]", "empty brackets")
        self.at += 1
        return "".join(out) + "]"

    def _refuse(self, construct: str, why: str = "") -> NoReturn:
        raise TokenizerError(
            f"the pattern {self.source!r:.200} has {construct!r} before character {self.at + 1}"
            f"{f' ({why})' if why else ''}, which {_ONIGURUMA.name}, the engine of a tokenizer.json, and homespun's "
            "engine may understand differently; rewrite that construct"
        )
