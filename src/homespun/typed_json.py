"""JSON as the dataclasses that it must be: every key and every type is checked, and errors name the place."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

_LARGEST_COUNT = 2**63 - 1

_Record = TypeVar("_Record")


def parse_json(content: str | bytes, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """What JSON says, as `json.loads`, with one kind of error for everything that can be wrong.

    Raises:
        ValueError: it is not UTF-8, not JSON, nested too deep, or has a number of thousands of digits.
    """
    # Decoded here: json.loads would guess at other encodings.
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    try:
        return json.loads(text, object_pairs_hook=object_pairs_hook)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_json(path: Path, kind: type[_Record], *, version: int | None = None) -> _Record:
    """What a file of JSON says, as `build_from_json` makes it.

    Args:
        path: The file.
        kind: A dataclass.
        version: What stands under `version`; looked at first, since another version has other keys. None for any.

    Raises:
        ValueError: it says something else; the message begins with the path and lacks a remedy.
    """
    try:
        values = parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    found = values.get("version") if isinstance(values, dict) else None
    if version is not None and found != version:
        raise ValueError(f"{path}: version {found!r}, expected {version}")
    return build_from_json(kind, values, f"{path}: ")


def build_from_json(kind: Any, value: Any, where: str = "") -> Any:
    """`value`, read from JSON, as the type `kind`: its keys and types exactly, none missing and none besides.

    Args:
        kind: A dataclass, whose fields are such types in turn; a list, tuple or dict; a literal; a type or None; or a
            plain type. A whole number is a count: at least 0 and below 2**63.
        value: What `parse_json` returned.
        where: What a message begins with.

    Raises:
        ValueError: it is something else; the message names the place in it.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        expected = {field.name: field.type for field in fields(kind)}
        if not isinstance(value, dict) or value.keys() != expected.keys():
            raise ValueError(f"{where}expected the keys {', '.join(expected)}, got {value!r:.200}")
        return kind(**{key: build_from_json(part, value[key], f"{where}{key}: ") for key, part in expected.items()})
    outer, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, UnionType):
        present = next(part for part in inner if part is not NoneType)
        return None if value is None else build_from_json(present, value, where)
    if outer is list and isinstance(value, list):
        return [build_from_json(inner[0], item, f"{where}[{index}] ") for index, item in enumerate(value)]
    if outer is tuple and isinstance(value, list) and len(value) == len(inner):
        return tuple(build_from_json(part, item, where) for part, item in zip(inner, value, strict=True))
    if kind is float and type(value) is int and abs(value) <= _LARGEST_COUNT:
        return float(value)
    is_expected = value in inner if outer is Literal else type(value) is (outer or kind)
    if not is_expected or (type(value) is int and not 0 <= value <= _LARGEST_COUNT):
        raise ValueError(f"{where}{value!r:.100} is not what is expected there")
    return value
