"""A run's recipe as flat keys, and the machine it ran on; both files may come from anybody."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from homespun.errors import RunError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_VALUE_CHARACTERS = 120


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What environment.json says of a run; empty where it does not."""

    processor: str = ""
    device: str = ""
    """The processor too, where the run computed on it."""
    num_threads: int | None = None
    precision: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    python: str = ""
    peak_flops: float | None = None


def read_settings(path: Path, text: str) -> dict[str, Any]:
    """Return the keys of a recipe, such as model.d_model, with their values.

    Raises:
        RunError: it is no recipe.
    """
    try:
        # An alias may stand for a structure of aliases: a few lines would grow to gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise RunError(f"{path}: aliases (*name) are not read; write the values out")
        values = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path}: not a YAML file ({' '.join(str(error).split())[:200]})") from error
    return dict(_flatten(values, "")) if isinstance(values, dict) else {}


def _flatten(values: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def write_value(value: Any) -> str:
    """Write a recipe's value as its YAML does, in one line."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[: _MAX_VALUE_CHARACTERS - 1]}\u2026"


def read_machine(environment: str) -> Machine:
    """Read what a page says of the machine from the text of environment.json."""
    try:
        values = json.loads(environment)
    except (ValueError, RecursionError):
        return Machine()

    def get(keys: Sequence[str], kind: Any) -> Any:
        found = values
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, kind) and not isinstance(found, bool) else None

    packages = get(["packages"], dict) or {}
    return Machine(
        processor=get(["machine", "cpu"], str) or "",
        device=get(["machine", "device"], str) or "",
        num_threads=get(["machine", "num_threads"], int),
        precision=get(["precision", "value"], str) or "",
        packages={str(name): str(version) for name, version in packages.items()},
        python=get(["python"], str) or "",
        peak_flops=get(["peak_flops", "flops"], float),
    )
