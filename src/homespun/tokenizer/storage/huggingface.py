"""Hugging Face's tokenizer.json: everything about a tokenizer in one file, loaded there unchanged."""

import json
from pathlib import Path
from typing import Any

from homespun.errors import TokenizerError
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.patterns import PATTERNS, name_of_pattern
from homespun.tokenizer.storage.gpt2 import format_merges, format_vocab, parse_merges, parse_vocab
from homespun.tokenizer.storage.reading import errors_about, read_json_object

# cl100k's pattern in the dialect of Oniguruma, the engine there: it reads {1,3}+ as "again and again", $ as the end of
# a line.
_GPT4_ONIGURUMA = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++\z|\s*[\r\n]|\s+(?!\S)|\s"
)
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}


def format_tokenizer_json(definition: Definition) -> str:
    """The text of tokenizer.json.

    Raises:
        TokenizerError: a special token is spelled like another token.
    """
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id_, "content": name} | flags
            for name, id_ in sorted(definition.special_tokens.items(), key=lambda item: item[1])
        ],
        "normalizer": None,
        "pre_tokenizer": _format_pattern(definition.pattern),
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
    """The tokenizer of a tokenizer.json.

    Raises:
        MissingFileError: the file does not exist.
        TokenizerError: it is malformed, or asks for what homespun does not do; the message names the key.
    """
    values = read_json_object(path, "a tokenizer.json")
    with errors_about(path):
        model = _expect(values, "model", dict)
        _refuse_settings(values, model)
        merges = parse_merges(_expect(model, "merges", list), lambda index: f"model.merges[{index}]")
        special_tokens = _read_added_tokens(values)
        words = _expect(model, "vocab", dict)
        for name, id_ in special_tokens.items():
            if words.setdefault(name, id_) != id_:
                raise TokenizerError(
                    f"added token {name!r} has id {id_}, but {words[name]} in model.vocab; make them equal"
                )
        pattern = _read_pattern(values.get("pre_tokenizer"))
        definition = define(parse_vocab(words, special_tokens), merges, list(special_tokens), pattern)
        if definition.special_tokens != special_tokens:
            raise TokenizerError("added_tokens: a special token spells an ordinary one of a lower id; choose another")
        return definition


def _format_pattern(pattern: str) -> dict[str, Any]:
    name = name_of_pattern(pattern)
    if name == "gpt2":
        return _BYTE_LEVEL | {"use_regex": True}
    regex = _GPT4_ONIGURUMA if name == "gpt4" else pattern
    # Removing what is not matched is what our own splitter does; the named patterns match everything.
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Removed", "invert": True}
    return {"type": "Sequence", "pretokenizers": [split, _BYTE_LEVEL | {"use_regex": False}]}


def _read_pattern(pre_tokenizer: object) -> str:
    """The pattern of the two forms that byte-level tokenizers take: ByteLevel alone, or Split and then ByteLevel.

    Raises:
        TokenizerError: it is another form.
    """
    match pre_tokenizer:
        case {"type": "ByteLevel", "add_prefix_space": False, **rest} if rest.get("use_regex", True):
            return "gpt2"
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": str(regex)}, "behavior": behavior, "invert": invert},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        } if (behavior, invert) in (("Removed", True), ("Isolated", False)):
            return PATTERNS["gpt4"] if regex == _GPT4_ONIGURUMA else regex
    raise TokenizerError(
        f"pre_tokenizer: {json.dumps(pre_tokenizer):.200}: homespun reads ByteLevel, or Split by a Regex and then "
        "ByteLevel, both with add_prefix_space false; use a byte-level tokenizer such as GPT-2's"
    )


def _read_added_tokens(values: dict[str, Any]) -> dict[str, int]:
    special_tokens: dict[str, int] = {}
    listed = values.get("added_tokens") or []
    if not isinstance(listed, list):
        raise TokenizerError(f"added_tokens: expected a JSON array, got {listed!r:.100}")
    for index, added in enumerate(listed):
        match added:
            case {"id": int(id_), "content": str(name)} if not isinstance(id_, bool):
                special_tokens[name] = id_
            case _:
                raise TokenizerError(
                    f"added_tokens[{index}]: expected an object with id and content, got {added!r:.200}"
                )
        for flag in ("single_word", "lstrip", "rstrip"):
            if added.get(flag):
                raise TokenizerError(
                    f"added_tokens[{index}].{flag} is true, which homespun does not do; set it to false"
                )
    return special_tokens


def _refuse_settings(values: dict[str, Any], model: dict[str, Any]) -> None:
    """Refuse every setting that would change ids and that homespun does not have.

    Raises:
        TokenizerError: naming the first.
    """
    if model.get("type", "BPE") != "BPE":
        raise TokenizerError(f"model.type is {model['type']!r}; homespun reads BPE")
    refused = {key: values.get(key) for key in ("normalizer", "truncation", "padding")}
    refused |= {f"model.{key}": model.get(key) for key in ("dropout", "byte_fallback", "ignore_merges", "unk_token")}
    refused |= {f"model.{key}": model.get(key) for key in ("continuing_subword_prefix", "end_of_word_suffix")}
    for key, value in refused.items():
        if value:
            raise TokenizerError(
                f"{key} is {value!r:.100}, which homespun does not do; use a plain byte-level tokenizer"
            )
    post_processor = values.get("post_processor")
    kind = post_processor.get("type") if isinstance(post_processor, dict) else post_processor
    if post_processor and kind != "ByteLevel":
        raise TokenizerError(
            f"post_processor is of the type {kind!r:.100}: homespun adds no tokens around a text; remove it"
        )


def _expect(values: dict[str, Any], key: str, kind: type) -> Any:
    value = values.get(key)
    if not isinstance(value, kind):
        raise TokenizerError(f"{key}: expected a JSON {'object' if kind is dict else 'array'}, got {value!r:.100}")
    return value
