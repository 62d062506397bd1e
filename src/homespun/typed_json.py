"""Build dataclasses from JSON or YAML: every key and every type is checked, and errors name the key."""

import json
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

_LARGEST_COUNT = 2**63 - 1

_Record = TypeVar("_Record")


def parse_json(content: str | bytes, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Parse JSON like `json.loads`, with one type of error for everything that can be wrong.

    Raises:
        ValueError: it is not UTF-8, not JSON, nested too deep, or has a number of thousands of digits.
    """
    # Decoded here: json.loads would guess at other encodings.
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    try:
        return json.loads(text, object_pairs_hook=object_pairs_hook)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def read_json(path: Path, kind: type[_Record], *, version: int | None = None, allow_defaults: bool = False) -> _Record:
    """Read a JSON file as the dataclass `kind`.

    Args:
        path: The file.
        kind: A dataclass.
        version: Required value of the key `version`, checked first: another version has other keys. None: any.
        allow_defaults: Whether keys whose fields have defaults may be absent.

    Raises:
        ValueError: the file is something else; the message begins with the path and lacks a remedy.
    """
    try:
        values = parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    found = values.get("version") if isinstance(values, dict) else None
    if version is not None and found != version:
        raise ValueError(f"{path}: version {found!r}, expected {version}")
    return build_from_json(kind, values, f"{path}: ", allow_defaults=allow_defaults)


def build_from_json(kind: Any, value: Any, where: str = "", *, allow_defaults: bool = False) -> Any:
    """Build a value of type `kind` from parsed JSON or YAML: every key and every type is checked.

    Args:
        kind: A dataclass, whose fields are such types in turn; a list, tuple or dict of them; a literal; a plain type;
            a union with None; a union of dataclasses, which a key `kind` distinguishes (absent: the first); or `Any`,
            which takes everything. A whole number is a count: at least 0 and below 2**63.
        value: What `parse_json` returned.
        where: What a message begins with.
        allow_defaults: Whether keys whose fields have defaults may be absent.

    Raises:
        ValueError: it does not fit; the message names the key, such as `optim.lr` or `shards[3].num_tokens`.
    """
    return _Builder(where, allow_defaults).build(kind, value, "")


@dataclass(frozen=True)
class _Builder:
    where: str
    allow_defaults: bool

    def build(self, kind: Any, value: Any, key: str) -> Any:
        outer, inner = get_origin(kind), get_args(kind)
        if kind is Any:
            return value
        if isinstance(kind, UnionType) or outer is Union:
            if value is None and NoneType in inner:
                return None
            return self.build(self._choose([item for item in inner if item is not NoneType], value, key), value, key)
        if isinstance(kind, type) and is_dataclass(kind):
            return self._build_dataclass(kind, value, key)
        if outer is list and isinstance(value, list):
            return [self.build(inner[0], item, f"{key}[{i}]") for i, item in enumerate(value)]
        if outer is dict and isinstance(value, dict):
            return {name: self.build(inner[1], item, f"{key}.{name}") for name, item in value.items()}
        if outer is tuple and isinstance(value, list):
            types = [inner[0]] * len(value) if inner[1:] == (...,) else inner
            if len(types) == len(value):
                return tuple(self.build(item_type, value[i], f"{key}[{i}]") for i, item_type in enumerate(types))
        if kind is float and type(value) is int and abs(value) <= _LARGEST_COUNT:
            return float(value)
        # `type(...) is`: True is an int to isinstance, and a count of True must not pass.
        fits = value in inner if outer is Literal else type(value) is (outer or kind) and outer is not tuple
        if not fits or (type(value) is int and not 0 <= value <= _LARGEST_COUNT):
            raise ValueError(f"{self._place(key)}{describe_type(kind)}, got {value!r:.100}")
        return value

    def _build_dataclass(self, kind: Any, value: Any, key: str) -> Any:
        expected = {field.name: field for field in fields(kind)}
        if not isinstance(value, dict):
            raise ValueError(f"{self._place(key)}the keys {', '.join(expected)}, got {value!r:.100}")
        prefix = f"{key}." if key else ""
        for name in value:
            if name not in expected:
                raise ValueError(f"{self.where}unknown key {prefix}{name}; expected the keys {', '.join(expected)}")
        for name, field in expected.items():
            if name not in value and not (self.allow_defaults and has_default(field)):
                raise ValueError(f"{self.where}the key {prefix}{name} is missing")
        return kind(**{name: self.build(expected[name].type, inner, prefix + name) for name, inner in value.items()})

    def _choose(self, variants: list[Any], value: Any, key: str) -> Any:
        """Return the variant whose field `kind` has the value that `value` states."""
        if len(variants) == 1 or not isinstance(value, dict) or "kind" not in value:
            return variants[0]
        kinds = {name: variant for variant in variants for name in kinds_of(variant)}
        if not isinstance(value["kind"], str) or value["kind"] not in kinds:
            place = self._place(f"{key}.kind" if key else "kind")
            raise ValueError(f"{place}one of {', '.join(kinds)}, got {value['kind']!r:.100}")
        return kinds[value["kind"]]

    def _place(self, key: str) -> str:
        return f"{self.where}{key}: expected " if key else f"{self.where}expected "


def has_default(field: Field[Any]) -> bool:
    """Whether a dataclass can be built without the field."""
    return field.default is not MISSING or field.default_factory is not MISSING


def kinds_of(variant: Any) -> tuple[str, ...]:
    """Return the values of the field `kind` that select `variant` in a union of dataclasses."""
    return next((get_args(field.type) for field in fields(variant) if field.name == "kind"), ())


def describe_type(kind: Any) -> str:
    """Describe the values of `kind` in the terms of JSON and YAML."""
    outer, inner = get_origin(kind), get_args(kind)
    if outer is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if outer is tuple and inner[1:] != (...,):
        return f"a list of {len(inner)}"
    if isinstance(kind, UnionType):
        return " or ".join("null" if item is NoneType else describe_type(item) for item in inner)
    names = {int: "a whole number from 0 to 2**63 - 1", float: "a number", str: "text"}
    return names.get(kind) or {bool: "true or false", dict: "a mapping"}.get(outer or kind, "a list")
