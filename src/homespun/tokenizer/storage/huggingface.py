"""Hugging Face's tokenizer.json: everything about a tokenizer in one file, loaded there unchanged.

Every setting that changes ids there is applied or refused; none is ignored.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homespun._native import split
from homespun.errors import TokenizerError
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.patterns import PATTERNS, name_of_pattern
from homespun.tokenizer.storage.gpt2 import format_merges, format_vocab, parse_merges, parse_vocab
from homespun.tokenizer.storage.oniguruma import from_oniguruma, to_oniguruma
from homespun.tokenizer.storage.reading import errors_about, read_json_object
from homespun.typed_json import build_from_json

# cl100k's pattern by hand: the translation would split long white space at the end of a text differently.
_GPT4_ONIGURUMA = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++\z|\s*[\r\n]|\s+(?!\S)|\s"
)
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}

_OWN_PATTERN = "homespun_pattern"
"""Key next to a translated `Regex`, unknown to Hugging Face: the pattern that it was translated from."""

# Letters, numbers, marks, punctuation, symbols, white space and controls, alone, repeated and next to each other.
_SAMPLE = "".join(
    left + right
    for left in [*"a1 \n\t._", "Zz", "1234", "   ", "\r\n\n", "...", "'s", "\u00e9\u0301", "$+", "\u4e2d\u6587"]
    for right in [*"bB7 \n!'\0\u200d\u00a0\u05d0\u00bd\U0001f600", "\t\t"]
)


def format_tokenizer_json(definition: Definition) -> str:
    """Return the text of tokenizer.json.

    Raises:
        TokenizerError: a special token is the same as another token, or the pattern cannot be translated.
    """
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id_, "content": name} | flags | {"special": name in definition.special_tokens}
            for name, id_ in sorted(definition.found_tokens().items(), key=lambda item: item[1])
        ],
        "normalizer": None,
        "pre_tokenizer": format_pattern(definition.pattern),
        "post_processor": None,
        "decoder": _BYTE_LEVEL | {"use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": format_vocab(definition),
            "merges": format_merges(definition),
        },
    }
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def read_tokenizer_json(path: Path) -> Definition:
    """Read the tokenizer of a tokenizer.json.

    Raises:
        MissingFileError: the file does not exist.
        TokenizerError: it is malformed, or has a setting that homespun does not support; the message names the key.
    """
    values = read_json_object(path, "a tokenizer.json")
    with errors_about(path):
        model = _expect(values, "model", dict)
        _refuse_settings(values, model)
        merges = parse_merges(_expect(model, "merges", list), lambda index: f"model.merges[{index}]")
        added = _read_added_tokens(values)
        words = _expect(model, "vocab", dict)
        for token in added:
            if words.setdefault(token.content, token.id) != token.id:
                raise TokenizerError(
                    f"added token {token.content!r} has id {token.id}, but {words[token.content]} in model.vocab; "
                    "make them equal"
                )
        vocab = parse_vocab(words, [token.content for token in added])
        pattern = _read_pattern(values.get("pre_tokenizer"))
        found = _search_once(added)
        special, ordinary = (
            {t.content: t.id for t in found if t.special is is_special} for is_special in (True, False)
        )
        return define(vocab, merges, special, pattern, ordinary)


def format_pattern(pattern: str) -> dict[str, Any]:
    """Return the pre-tokenizer that splits by `pattern`.

    Raises:
        TokenizerError: the pattern cannot be translated.
    """
    name = name_of_pattern(pattern)
    if name == "gpt2":
        return _BYTE_LEVEL | {"use_regex": True}
    regex = _GPT4_ONIGURUMA if name == "gpt4" else to_oniguruma(pattern)
    # Isolated: the text between two matches is kept.
    split_by_regex = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    if name != "gpt4" and regex != pattern:
        split_by_regex[_OWN_PATTERN] = pattern
    return {"type": "Sequence", "pretokenizers": [split_by_regex, _BYTE_LEVEL | {"use_regex": False}]}


def _read_pattern(pre_tokenizer: object) -> str:
    """Read the two forms that byte-level tokenizers take: ByteLevel alone, or Split and then ByteLevel."""
    match _flatten(pre_tokenizer, "pretokenizers"):
        case [{"type": "ByteLevel", "add_prefix_space": False, **rest}] if rest.get("use_regex", True):
            return "gpt2"
        case [
            {"type": "Split", "pattern": {"Regex": str(regex)}, "behavior": behavior, "invert": bool(invert), **rest},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if behavior == "Isolated" or (behavior == "Removed" and invert):
            pattern = _pattern_of(regex, rest.get(_OWN_PATTERN))
            if behavior == "Removed":
                _check_matches_all(pattern)
            return pattern
    raise TokenizerError(
        f"pre_tokenizer: {json.dumps(pre_tokenizer):.200}: homespun reads ByteLevel, or Split by a Regex (Isolated) "
        "and then ByteLevel, both with add_prefix_space false; use a byte-level tokenizer such as GPT-2's"
    )


def _pattern_of(regex: str, own: object) -> str:
    if regex == _GPT4_ONIGURUMA:
        return PATTERNS["gpt4"]
    # Another program may have changed the regular expression and left our key in place.
    if isinstance(own, str) and to_oniguruma(own) == regex:
        return own
    with errors_about("pre_tokenizer"):
        return from_oniguruma(regex)


def _check_matches_all(pattern: str) -> None:
    """Refuse a Split that removes text from a sample: such text would not come back from its ids."""
    # The second alternative matches all text from the first place where `pattern` does not match.
    with errors_about("pre_tokenizer"):
        split_text, others = split(_SAMPLE, pattern), split(_SAMPLE, rf"(?:{pattern})|[\s\S]+")
    if split_text != others:
        raise TokenizerError(
            f"pre_tokenizer: the Split by {pattern!r:.200} removes what it does not match, such as {others[-1]!r:.20}; "
            'write "behavior": "Isolated", "invert": false to keep it'
        )


@dataclass(frozen=True, kw_only=True)
class _AddedToken:
    id: int
    content: str
    special: bool = False
    normalized: bool | None = None
    """None: unless it is special."""
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False

    @property
    def is_searched_last(self) -> bool:
        return not self.special if self.normalized is None else self.normalized


@dataclass(frozen=True)
class _AddedTokens:
    added_tokens: list[_AddedToken]


def _read_added_tokens(values: dict[str, Any]) -> list[_AddedToken]:
    listed = {"added_tokens": values.get("added_tokens") or []}
    try:
        added = build_from_json(_AddedTokens, listed, allow_defaults=True).added_tokens
    except ValueError as error:
        raise TokenizerError(f"{error}; restore the file") from error
    tokens: dict[str, _AddedToken] = {}
    for index, token in enumerate(added):
        for flag in ("single_word", "lstrip", "rstrip"):
            if getattr(token, flag):
                raise TokenizerError(
                    f"added_tokens[{index}].{flag} is true, which homespun does not support; set it to false"
                )
        if tokens.setdefault(token.content, token) != token:
            raise TokenizerError(
                f"added_tokens[{index}]: {token.content!r} stands twice, with other settings; keep one of them"
            )
    return list(tokens.values())


def _search_once(added: list[_AddedToken]) -> list[_AddedToken]:
    """The added tokens that one search (leftmost, then longest) finds where Hugging Face's two searches do.

    There the tokens with `normalized: false` are searched for first, then the others in the remaining text. A token
    of the second search that contains one of the first is therefore never found. Where one merely begins inside
    another, the result depends on the order, and the file is refused.
    """
    first = [token.content for token in added if not token.is_searched_last]
    found = [t for t in added if not (t.is_searched_last and any(name in t.content for name in first))]
    for token in found:
        for name in first if token.is_searched_last else ():
            if any(name.startswith(token.content[start:]) for start in range(1, len(token.content))):
                raise TokenizerError(
                    f"added_tokens: {token.content!r} (normalized) ends as {name!r} (not normalized) begins, and which "
                    'is found first depends on that; set "normalized" alike for both'
                )
    return found


def _refuse_settings(values: dict[str, Any], model: dict[str, Any]) -> None:
    """Refuse every setting that would change ids and that homespun does not support."""
    if model.get("type", "BPE") != "BPE":
        raise TokenizerError(f"model.type is {model['type']!r}; homespun reads BPE")
    settings = {key: values.get(key) for key in ("truncation", "padding")}
    settings["normalizer"] = _flatten(values.get("normalizer"), "normalizers")
    settings |= {f"model.{key}": model.get(key) for key in ("dropout", "byte_fallback", "ignore_merges", "unk_token")}
    settings |= {f"model.{key}": model.get(key) for key in ("continuing_subword_prefix", "end_of_word_suffix")}
    for key, value in settings.items():
        if value:
            raise TokenizerError(
                f"{key} is {value!r:.100}, which homespun does not support; use a plain byte-level tokenizer"
            )
    for post_processor in _flatten(values.get("post_processor"), "processors"):
        kind = post_processor.get("type") if isinstance(post_processor, dict) else post_processor
        # A ByteLevel post-processor changes offsets only.
        if kind != "ByteLevel":
            raise TokenizerError(
                f"post_processor is of the type {kind!r:.100}: homespun adds no tokens around a text; remove it"
            )


def _flatten(step: object, key: str) -> list[Any]:
    """The steps of a Sequence, which may be nested or empty; one step by itself; or none."""
    match step:
        case None:
            return []
        case {"type": "Sequence", **rest} if isinstance(rest.get(key), list):
            return [inner for outer in rest[key] for inner in _flatten(outer, key)]
    return [step]


def _expect(values: dict[str, Any], key: str, kind: type) -> Any:
    value = values.get(key)
    if not isinstance(value, kind):
        raise TokenizerError(f"{key}: expected a JSON {'object' if kind is dict else 'array'}, got {value!r:.100}")
    return value
