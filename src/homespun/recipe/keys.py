"""The keys of a recipe, read from the config dataclasses: their types, defaults, docstrings, and the help text."""

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from types import UnionType
from typing import Any, Literal, get_args

from homespun.errors import ConfigError
from homespun.recipe.config import RunConfig
from homespun.typed_json import describe_type, kinds_of


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a recipe: a section such as `optim`, or a leaf such as `optim.lr`."""

    name: str
    type: Any
    default: Any
    """`dataclasses.MISSING` where the recipe must state it."""
    owner: type
    """The dataclass whose field it is."""
    variants: tuple[str, ...]
    """Values of the section's `kind` that have the key; empty where all have it."""

    @property
    def is_section(self) -> bool:
        return bool(_dataclasses_in(self.type))


def recipe_keys(kind: type = RunConfig, prefix: str = "") -> dict[str, Key]:
    """Every key by its dotted name, each section before its leaves."""
    return {key.name: key for key in _walk(kind, prefix, ())}


def check_key(name: str, where: str, known: Collection[str]) -> None:
    """Refuse a key that no recipe has.

    Raises:
        ConfigError: it is unknown; the message names the nearest known one.
    """
    if name in known:
        return
    # For a key of another section, or a bare `lr`, suggest the same leaf name before any similar name.
    leaf = name.rpartition(".")[2]
    same_leaf = [other for other in known if other.rpartition(".")[2] == leaf]
    nearest = same_leaf or get_close_matches(name, known, n=1, cutoff=0.5)
    remedy = f"the nearest is {nearest[0]}" if nearest else "see `homespun train --help`"
    raise ConfigError(f"{where}: no recipe has the key {name}; {remedy}")


def recipe_help() -> str:
    """Describe every key: type, default and meaning, from the field's docstring."""
    lines: list[str] = []
    keys = recipe_keys().values()
    docs = {owner: field_docs(owner) for owner in {key.owner for key in keys}}
    for key in keys:
        doc = docs[key.owner].get(key.name.rpartition(".")[2], "")
        variants = f" ({', '.join(key.variants)} only)" if key.variants else ""
        if key.is_section:
            lines.append(f"\n{key.name}{variants}: {doc}")
            continue
        default = "required" if key.default is MISSING else f"default: {key.default!r}"
        lines.append(f"  --{key.name}{variants}: {describe_type(key.type)} ({default})")
        lines.append(textwrap.indent(textwrap.fill(doc, 100), " " * 8))
    return "\n".join(lines)


def _walk(kind: type, prefix: str, variants: tuple[str, ...]) -> Iterator[Key]:
    for field in fields(kind):
        key = Key(
            name=prefix + field.name,
            type=field.type,
            default=default_of(field),
            owner=kind,
            variants=variants,
        )
        yield key
        sections = _dataclasses_in(field.type)
        found: dict[str, Key] = {}
        for section in sections:
            for inner in _walk(section, f"{key.name}.", kinds_of(section) if len(sections) > 1 else ()):
                seen = found.get(inner.name)
                names = tuple(dict.fromkeys((*seen.variants, *inner.variants))) if seen else inner.variants
                found[inner.name] = replace(seen or inner, variants=names)
        everyone = tuple(name for section in sections for name in kinds_of(section))
        kind_key = f"{key.name}.kind"
        for inner in found.values():
            if inner.name == kind_key and len(sections) > 1:
                yield replace(inner, type=Literal[everyone], default=everyone[0], variants=())
            else:
                yield replace(inner, variants=() if inner.variants == everyone else inner.variants)


def _dataclasses_in(annotation: Any) -> list[type]:
    members = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return [member for member in members if isinstance(member, type) and is_dataclass(member)]


def default_of(field: Field[Any]) -> Any:
    """Return a field's default, `MISSING` where it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def field_docs(kind: type) -> dict[str, str]:
    """Return the string below each field: Python does not keep it, so it is read from the source."""
    docs: dict[str, str] = {}
    for ancestor in (base for base in reversed(kind.__mro__) if is_dataclass(base)):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(ancestor))).body
        assert isinstance(definition, ast.ClassDef)
        for line, after in pairwise(definition.body):
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                docs[ast.unparse(line.target)] = " ".join(str(after.value.value).split())
    return docs
