"""A plan: which runs an experiment takes, written down before the first of them; torch-free.

A plan names a base recipe and variants of it, seeds, what all runs may spend, and the measure that decides.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from homespun.config import check_at_least, check_choice, check_positive
from homespun.errors import ConfigError
from homespun.files import check_is_file
from homespun.recipe.load import read_yaml
from homespun.sweeps import Budget
from homespun.typed_json import build_from_json

Measure = Literal["loss", "bits_per_byte"]
MEASURES = get_args(Measure)
_UNITS = ("tokens", "steps", "flops", "minutes")


@dataclass(frozen=True, kw_only=True)
class BudgetConfig:
    """What each run may spend, in exactly one unit."""

    tokens: float | None = None
    """Tokens to train on."""

    steps: float | None = None
    """Optimizer steps."""

    flops: float | None = None
    """FLOPs of forward and backward matrix multiplies and of updates, by exact count."""

    minutes: float | None = None
    """Processor minutes on this machine, by a short measurement before the first run."""

    def __post_init__(self) -> None:
        given = [unit for unit in _UNITS if getattr(self, unit) is not None]
        if len(given) != 1:
            raise ConfigError(f"budget = {given or 'nothing'}: expected exactly one of {', '.join(_UNITS)}")
        check_positive(f"budget.{given[0]}", self.amount)

    @property
    def unit(self) -> str:
        return next(unit for unit in _UNITS if getattr(self, unit) is not None)

    @property
    def amount(self) -> float:
        return getattr(self, self.unit)


@dataclass(frozen=True, kw_only=True)
class VariantConfig:
    """A variant of the base recipe, or one for each point of a grid."""

    name: str
    """Of the variant; the values of a grid are added to it."""

    base: str | None = None
    """Another recipe than the plan's, relative to the plan's file; null: the plan's."""

    set: dict[str, Any] = field(default_factory=dict)
    """Keys of the recipe with their values."""

    grid: dict[str, list[Any]] = field(default_factory=dict)
    """Keys with the values to try, in every combination; budget.tokens and its like stand for the variant's budget."""

    seeds: int | None = None
    """How many of the plan's seeds; null: the plan's `variant_seeds`."""

    budget: BudgetConfig | None = None
    """What its runs may spend; null: what the plan says."""


@dataclass(frozen=True, kw_only=True)
class HalvingConfig:
    """Successive halving: all variants train shortly, the better ones longer; every run is a whole one."""

    fractions: list[float]
    """Parts of the budget that the rounds get, rising; the last is usually 1."""

    keep: float = 0.5
    """Part of the variants that the next round takes; the baseline always stays."""

    def __post_init__(self) -> None:
        if not self.fractions or sorted(set(self.fractions)) != self.fractions or self.fractions[0] <= 0:
            raise ConfigError(f"halving.fractions = {self.fractions}: expected rising numbers greater than 0")
        if not 0 < self.keep < 1:
            raise ConfigError(f"halving.keep = {self.keep} must be between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that fixes an experiment, decided before its first run."""

    name: str
    """Of the experiment; its directory is runs/NAME unless --out says otherwise."""

    question: str
    """What it is to answer."""

    base: str
    """The recipe that the variants change, relative to the plan's file."""

    budget: BudgetConfig
    """What each run may spend."""

    baseline: str = "base"
    """The variant that the others are compared with, and whose seeds give the noise floor."""

    variants: list[VariantConfig] = field(default_factory=lambda: [VariantConfig(name="base")])
    """What is compared."""

    set: dict[str, Any] = field(default_factory=dict)
    """Keys of the recipe with values that all variants share."""

    fractions_of_run: dict[str, float] = field(default_factory=dict)
    """Keys that count steps, such as optim.schedule.warmup_steps, as parts of a run's steps."""

    equal: list[Budget] = field(default_factory=lambda: ["tokens"])
    """What compared runs have spent equally; "tokens" stands for the budget as given, "time" and "flops" give a
    variant as many steps as take the processor time, or the FLOPs, of the baseline's."""

    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])
    """Of the baseline's runs."""

    variant_seeds: int = 3
    """How many of them every other variant has; they are paired with the baseline's."""

    measure: Measure = "bits_per_byte"
    """What decides: the final validation loss over the whole set, in nats per token, or bits per byte."""

    rule: str = "no run is added or left out after the first result"
    """When to stop."""

    halving: HalvingConfig | None = None
    """Rounds of successive halving; null: one round."""

    known: list[str] = field(default_factory=list)
    """What others have found, to stand next to the result."""

    caveat: str = ""
    """What this scale does not show."""

    def __post_init__(self) -> None:
        check_choice("measure", self.measure, MEASURES)
        for budget in self.equal:
            check_choice("equal", budget, get_args(Budget))
        check_at_least("variant_seeds", self.variant_seeds, 1)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ConfigError(f"seeds = {self.seeds}: expected different numbers, each at least 0")
        if not self.equal or len(set(self.equal)) < len(self.equal):
            raise ConfigError(f"equal = {self.equal}: expected different budgets")
        if self.variant_seeds > len(self.seeds):
            raise ConfigError(
                f"variant_seeds = {self.variant_seeds}, but the baseline has {len(self.seeds)} seeds; runs are "
                "compared by pairs of the same seed"
            )
        for key, fraction in self.fractions_of_run.items():
            if not 0 <= fraction <= 1:
                raise ConfigError(f"fractions_of_run.{key} = {fraction} must be at least 0 and at most 1")
        names = [variant.name for variant in self.expand()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"variants: {twice!r} is the name of two")
        if self.baseline not in names:
            raise ConfigError(f"baseline = {self.baseline!r} is none of the variants: {', '.join(names)}")

    def expand(self) -> list["Variant"]:
        """Return every variant, grids written out, the baseline first."""
        expanded = [variant for config in self.variants for variant in _expand(config, self)]
        return sorted(expanded, key=lambda variant: variant.name != self.baseline)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One variant of the base recipe."""

    name: str
    base: str
    overrides: dict[str, Any]
    """Those that it does not share with all others."""
    seeds: list[int]
    budget: BudgetConfig


def load_plan(path: Path, scale: str | None = None) -> Plan:
    """Read the plan at `path`.

    A plan's key `scales` may hold, by name, other values for any of its keys: the same experiment for machines of
    different size.

    Args:
        path: A YAML or JSON file.
        scale: Which of the scales; None: the plan must have no scales.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not a plan, a key is unknown, or a value cannot work.
    """
    check_is_file(path, "a plan", "example plans are in recipes/experiments/")
    values = read_yaml(path, "a plan")
    scales = values.pop("scales", {})
    if not isinstance(scales, dict) or not all(isinstance(changes, dict) for changes in scales.values()):
        raise ConfigError(f"{path}: scales: expected sections by the names of the scales")
    if scale not in scales and (scales or scale is not None):
        raise ConfigError(f"{path}: --scale {scale}: this plan has {', '.join(scales) or 'no scales'}")
    known = {each.name for each in fields(Plan)}
    for section, section_values in (("", values), *((f"scales.{name}.", changes) for name, changes in scales.items())):
        unknown = next((key for key in section_values if key not in known), None)
        if unknown is not None:
            raise ConfigError(f"{path}: {section}{unknown}: no plan has this key; it has {', '.join(sorted(known))}")
    try:
        return build_from_json(Plan, values | scales.get(scale, {}), f"{path}: ", allow_defaults=True)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def as_flags(overrides: Mapping[str, Any]) -> list[str]:
    """Return overrides as the flags that `homespun.recipe.load.load_recipe` takes."""
    return [f"--{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in overrides.items()]


def _expand(config: VariantConfig, plan: Plan) -> Iterator[Variant]:
    for values in product(*config.grid.values()):
        point = dict(zip(config.grid, values, strict=True))
        name = " ".join([*([config.name] if config.name else []), *(_name(key, value) for key, value in point.items())])
        num_seeds = len(plan.seeds) if name == plan.baseline else config.seeds or plan.variant_seeds
        if num_seeds > len(plan.seeds):
            raise ConfigError(f"variants: {name}: seeds = {num_seeds}, but the plan has {len(plan.seeds)} seeds")
        amounts = {key.removeprefix("budget."): point.pop(key) for key in [*point] if key.startswith("budget.")}
        if unknown := amounts.keys() - set(_UNITS):
            raise ConfigError(f"variants: {name}: budget.{min(unknown)}: a budget is in one of {', '.join(_UNITS)}")
        yield Variant(
            name=name,
            base=config.base or plan.base,
            overrides=config.set | point,
            seeds=plan.seeds[:num_seeds],
            budget=BudgetConfig(**amounts) if amounts else config.budget or plan.budget,
        )


def _name(key: str, value: Any) -> str:
    shown = f"{value:g}" if isinstance(value, float | int) and not isinstance(value, bool) else value
    return f"{key.rpartition('.')[2]}={shown}"
