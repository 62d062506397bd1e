"""Recipes: YAML or JSON in, a checked `RunConfig` out, and back; torch-free."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

import yaml

from homespun.errors import ConfigError
from homespun.files import check_is_file
from homespun.recipe.config import RunConfig

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

_LARGEST_NUMBER = 2**63 - 1


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The run that the recipe at `path` describes, with `overrides` on top.

    Example: `load_recipe(Path("recipes/demo.yaml"), ["--optim.lr", "3e-3", "--training.num_steps=5"])`.

    Args:
        path: A YAML or JSON file whose keys are the fields of `RunConfig`; absent fields keep their defaults.
        overrides: Command-line flags, each a key with dots between its parts and a value.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is no recipe, a key is unknown, or a value cannot work.
    """
    from jsonargparse import ArgumentError

    check_is_file(path, "a recipe", "the recipes that come with homespun lie in recipes/")
    _check_recipe_keys(path)
    _check_flags(overrides)
    parser = recipe_parser("homespun train RECIPE")
    try:
        namespace = parser.parse_args(["--recipe", str(path), *overrides])
    except ArgumentError as error:
        raise ConfigError(f"{path}: {_tell(error)}") from error
    try:
        parts = parser.instantiate(namespace).as_dict()
        return RunConfig(**{name.name: parts[name.name] for name in fields(RunConfig)})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def save_recipe(config: RunConfig) -> str:
    """The recipe as YAML text: every key in the order of the config's fields, so that equal runs give equal text."""
    return yaml.safe_dump(_plain(asdict(config)), sort_keys=False, allow_unicode=True, width=120)


def differing_keys(recorded: RunConfig, asked: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Keys on which two runs differ, each with both values in the order of the arguments."""
    before, after = dict(_leaves(_plain(asdict(recorded)))), dict(_leaves(_plain(asdict(asked))))
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


def recipe_parser(prog: str) -> "ArgumentParser":
    """A parser whose flags are the keys of a recipe, with help from the docstrings of the configs' fields."""
    from jsonargparse import ArgumentParser, set_parsing_settings

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(prog=prog, exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--recipe", action="config", help="A recipe below this one, for the keys it has.")
    parser.add_class_arguments(RunConfig)
    return parser


def recipe_keys(kind: type = RunConfig, prefix: str = "") -> Iterator[str]:
    """Every key of a recipe, sections (`optim`) and leaves (`optim.lr`)."""
    for field in fields(kind):
        key = prefix + field.name
        yield key
        # Annotations are types here, not strings: checked modules do not postpone them.
        if isinstance(field.type, type) and is_dataclass(field.type):
            yield from recipe_keys(field.type, f"{key}.")


def check_key(key: str, where: str) -> None:
    """Refuse a key that no recipe has.

    Raises:
        ConfigError: it is unknown; the message names the nearest that is not.
    """
    known = list(recipe_keys())
    if key in known:
        return
    nearest = get_close_matches(key, known, n=1, cutoff=0.5)
    # `lr` is nearer to `optim.lr` than spelling tells.
    same_leaf = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    remedy = f"the nearest is {(same_leaf or nearest)[0]}" if same_leaf or nearest else "see `homespun train --help`"
    raise ConfigError(f"{where}: no recipe has the key {key}; {remedy}")


def _check_recipe_keys(path: Path) -> None:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not a recipe in YAML or JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; a recipe is a text file") from error
    # What PyYAML lets through where a date, a number or a tag is none, or nesting too deep.
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path}: not a recipe in YAML or JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys such as name, model, optim; got {values!r:.80}")
    for key in _section_keys(values):
        check_key(key, str(path))
    _check_values(RunConfig, values, str(path))


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases, in which a key that stands twice is an error: else the last one would win in silence."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # A few lines of aliases can stand for more than any memory holds, or for themselves.
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias at line {self.peek_event().start_mark.line + 1}; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"the key {twice} stands twice in the section that begins at line {line}")
        return super().construct_mapping(node, deep)


def _section_keys(values: dict[Any, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _section_keys(value, f"{prefix}{name}.")


def _check_values(kind: type, section: dict[str, Any], where: str, prefix: str = "") -> None:
    """Refuse what jsonargparse lets through and no config can have: a section that is none, nothing, 10**400."""
    types = {field.name: field.type for field in fields(kind)}
    for name, value in section.items():
        key, expected = prefix + name, types[name]
        if isinstance(expected, type) and is_dataclass(expected):
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {key} = {value!r:.80}, but it is a section; write its keys below it")
            _check_values(expected, value, where, f"{key}.")
        elif value is None and NoneType not in get_args(expected):
            raise ConfigError(f"{where}: {key} has no value; give it one, or leave the key out for its default")
        elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise ConfigError(f"{where}: {key} is a number of {len(str(abs(value)))} digits; at most {_LARGEST_NUMBER}")


def _check_flags(overrides: Sequence[str]) -> None:
    for word in overrides:
        if word.startswith("--"):
            # `--logging.sampling.prompts+ "A cat"` appends to a list.
            check_key(word[2:].partition("=")[0].removesuffix("+"), word.partition("=")[0])


def _tell(error: Exception) -> str:
    """Jsonargparse's message in one line, in words that do not presume Python."""
    message = " ".join(str(error).split())
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message


_WORDS = {
    'Parser key "': "",
    '": Expected a ': ": expected ",
    ". Got value:": "; got",
    "<class 'int'>": "a whole number",
    "<class 'float'>": "a number",
    "<class 'tuple'>": "a list",
    "<class 'bool'>": "true or false",
    "typing.Literal": "one of ",
}


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _plain(value: Any) -> Any:
    """The same value in the types that YAML has: tuples become lists."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
