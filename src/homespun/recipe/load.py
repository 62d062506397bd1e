"""Read recipes (YAML or JSON, with overrides) as a checked `RunConfig`, and write them; torch-free."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from homespun.errors import ConfigError
from homespun.files import check_is_file
from homespun.recipe.config import RunConfig
from homespun.recipe.keys import Key, check_key, recipe_keys
from homespun.typed_json import build_from_json

_HASH_PREFIX = "# sha256 of the lines below: "
_MAX_BYTES = 2**20
"""More than any recipe: a corpus named by mistake is not parsed."""


def load_recipe(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> RunConfig:
    """Read the recipe at `path`, with `overrides` on top.

    Example: `load_recipe("recipes/demo.yaml", ["--optim.lr", "3e-3", "--training.num_steps=5"])`.

    Args:
        path: A YAML or JSON file whose keys are the fields of `RunConfig`; absent fields keep their defaults.
        overrides: Flags, each a dotted key and a value in YAML; a value for a whole section replaces it.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not a recipe, a key is unknown, or a value cannot work.
    """
    path = Path(path)
    check_is_file(path, "a recipe", "example recipes are in recipes/")
    values = read_yaml(path)
    known = recipe_keys()
    for key in _section_keys(values):
        check_key(key, str(path), known)
    for key, value in _parse_overrides(overrides, known):
        _set(values, key, value, str(path))
    try:
        return build_from_json(RunConfig, values, allow_defaults=True)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def save_recipe(config: RunConfig) -> str:
    """Return the recipe as YAML: every key in the order of the config's fields, so that equal runs give equal text.

    The first line is the hash of the others, which `load_recipe` verifies: YAML cut at a line end is still YAML.
    """
    text = yaml.safe_dump(_plain(asdict(config)), sort_keys=False, allow_unicode=True, width=120)
    return f"{_HASH_PREFIX}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def differing_keys(recorded: RunConfig, requested: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Return the leaf keys that differ, each with both values in the order of the arguments."""
    before, after = dict(_leaves(_plain(asdict(recorded)))), dict(_leaves(_plain(asdict(requested))))
    # Variants of a section have different keys; one that is absent counts as None.
    keys = [*before, *(key for key in after if key not in before)]
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2's scalars, without aliases and without duplicate keys.

    PyYAML follows YAML 1.1, in which 3e-3 is text, `no` is false, 1:30 is 90 and 010 is 8.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # A few lines of aliases can expand to more than fits in memory, or refer to themselves.
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias at line {self.peek_event().start_mark.line + 1}; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # PyYAML silently keeps the last of duplicate keys.
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"the key {twice} appears twice in the section that begins at line {line}")
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", "~n\0"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?([0-9]*\.[0-9]+|[0-9]+\.)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.inf|\.nan",
        "-+0123456789.",
    ),
):
    _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"({_pattern})$"), list(_first))
_StrictLoader.yaml_implicit_resolvers[""] = _StrictLoader.yaml_implicit_resolvers.pop("\0")


def read_yaml(path: Path, what: str = "a recipe") -> dict[str, Any]:
    """Read a YAML or JSON file of one mapping, by the rules of recipes.

    Args:
        path: A file that exists.
        what: What it is, for messages.

    Raises:
        ConfigError: it is something else; if its first line has the hash of the others, they must match it.
    """
    content = b""
    if path.stat().st_size <= _MAX_BYTES:
        content = path.read_bytes()
    try:
        values = _parse(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; {what} is a text file") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not {what} in YAML or JSON: {error}{_remedy_for(path)}") from error
    if not isinstance(values, dict):
        found = repr(values)[:80] if content else f"a file of {path.stat().st_size:,} bytes"
        raise ConfigError(f"{path}: expected {what}, keys with values; got {found}{_remedy_for(path)}")
    first, _, rest = content.decode().partition("\n")
    if first.startswith(_HASH_PREFIX) and first.removeprefix(_HASH_PREFIX) != hashlib.sha256(rest.encode()).hexdigest():
        raise ConfigError(
            f"{path}: differs from what was written (its first line has the hash of the others); "
            "restore the file, or delete that line if the change was intended"
        )
    return values


def _parse(text: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)
    # PyYAML also raises other errors, for impossible numbers and tags and for too deep nesting.
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def _remedy_for(path: Path) -> str:
    if path.suffix in (".yaml", ".yml", ".json"):
        return ""
    return "; to train on a text, copy a recipe such as recipes/demo.yaml and name the text there as source.train"


def _parse_overrides(words: Sequence[str], known: dict[str, Key]) -> Iterator[tuple[str, Any]]:
    """Yield keys and values of `--key value` and `--key=value`."""
    remaining = iter(words)
    for word in remaining:
        if not word.startswith("--"):
            raise ConfigError(f"{word!r}: expected a flag, --key.sub value; quote a value that has spaces")
        key, equals, text = word[2:].partition("=")
        check_key(key, f"--{key}", known)
        if not equals:
            text = next(remaining, None)
            if text is None or text.startswith("--"):
                raise ConfigError(f"--{key}: expected a value after it, --{key} VALUE")
        yield key, _parse_value(known[key], text)


def _parse_value(key: Key, text: str) -> Any:
    """Read a flag's value: as YAML, but text is taken literally where text is expected, so no quotes are needed."""
    if key.type is str or (get_origin(key.type) is Literal and text in get_args(key.type)):
        return text
    try:
        return _parse(text)
    except ValueError as error:
        raise ConfigError(f"--{key.name} = {text!r:.80}: not a value in YAML: {error}") from error


def _set(values: dict[str, Any], key: str, value: Any, where: str) -> None:
    *sections, leaf = key.split(".")
    for i, section in enumerate(sections):
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{where}: {'.'.join(sections[: i + 1])} = {values!r:.80}; expected a section with keys")
    values[leaf] = value


def _section_keys(values: dict[Any, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _section_keys(value, f"{prefix}{name}.")


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _plain(value: Any) -> Any:
    """Convert tuples to lists, which YAML has."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
