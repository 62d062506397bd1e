"""The runs of a plan, each with its resolved recipe; the same plan always gives the same runs."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from homespun.accounting.totals import parameter_shapes, training_flops
from homespun.errors import ConfigError
from homespun.experiments.plan import BudgetConfig, Plan, Variant, as_flags
from homespun.recipe.config import RunConfig
from homespun.recipe.keys import default_of
from homespun.recipe.load import load_recipe
from homespun.runs.claim import FIXED
from homespun.runs.device import resolve
from homespun.sweeps import Budget

_ANY_LENGTH = 10**9
"""Steps with which a recipe is read before its own number is known: every warm-up fits."""

_MAX_NAME = 120
"""Characters of a run's name that come from its variant."""

_SAME_LENGTH = 0.03
"""Two budgets that differ by less than this part of their steps share their runs: rates are not measured better."""


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a plan."""

    variant: str
    budget: Budget
    seed: int
    config: RunConfig
    """Resolved: no "auto" is left in it."""

    @cached_property
    def key(self) -> str:
        """Name of its directory, which is that of every run that trains the same to the same numbers.

        How it is executed does not count, except for the precision: it changes the numbers. Nor do defaults, so that
        runs are still found when a later version has more switches.
        """
        values: dict[str, Any] = {section: _without_defaults(getattr(self.config, section)) for section in FIXED}
        values["precision"] = self.config.execution.precision
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        return digest[:16]


@dataclass(frozen=True, kw_only=True)
class PlanReader:
    """Turns the variants of a plan into recipes."""

    plan: Plan
    folder: Path
    """Of the plan's file, which the path of the base recipe is relative to."""
    flags: Sequence[str] = ()
    """Overrides of the base recipe from the command line."""

    def recipe(self, variant: Variant, num_steps: int, seed: int) -> RunConfig:
        """Return the recipe of one run.

        Raises:
            ConfigError: the base recipe or the variant cannot work; the message names the variant.
        """
        plan = self.plan
        lengths = {key: max(1, round(part * num_steps)) if part else 0 for key, part in plan.fractions_of_run.items()}
        name = re.sub(r"[/\\\\:]", " per ", f"{plan.name} {variant.name}")[:_MAX_NAME]
        fixed = {"training.num_steps": num_steps, "seed": seed, "name": f"{name.strip()} seed {seed}"}
        overrides = plan.set | lengths | variant.overrides | fixed
        try:
            return load_recipe(self.folder / variant.base, [*self.flags, *as_flags(overrides)])
        except ConfigError as error:
            raise ConfigError(f"variant {variant.name!r}: {error}") from error

    def num_steps(self, variant: Variant, rates: Mapping[str, float], *, budget: BudgetConfig | None = None) -> int:
        """Return the steps that a variant's budget pays for, at least one.

        Args:
            variant: Of the plan.
            rates: Processor seconds a step by variant, for a budget in minutes.
            budget: Another than the variant's own.
        """
        budget = budget or variant.budget
        config = self.recipe(variant, _ANY_LENGTH, 0)
        cost = {
            "tokens": config.tokens_per_step,
            "steps": 1,
            "flops": flops_per_step(config),
            "minutes": rates.get(variant.name, 1.0) / 60,
        }[budget.unit]
        return max(1, round(budget.amount / cost))

    def needs_rates(self) -> bool:
        """Whether any budget is a time."""
        budgets = [variant.budget for variant in self.plan.expand()]
        return "time" in self.plan.equal or any(budget.unit == "minutes" for budget in budgets)

    def list_runs(
        self, variants: Sequence[Variant], rates: Mapping[str, float], *, fraction: float = 1.0
    ) -> list[PlannedRun]:
        """Return the runs of `variants` under every budget that the plan compares, the baseline's first.

        Args:
            variants: Of the plan, with the baseline.
            rates: Processor seconds a step by variant, where `needs_rates`.
            fraction: Part of the budget that each gets.
        """
        baseline = next(variant for variant in variants if variant.name == self.plan.baseline)
        runs = []
        for budget in self.plan.equal:
            for variant in variants:
                num_steps = self._equal_steps(variant, baseline, budget, rates)
                num_steps = max(1, round(fraction * num_steps))
                for seed in variant.seeds:
                    config, _, _ = resolve(self.recipe(variant, num_steps, seed))
                    runs.append(PlannedRun(variant=variant.name, budget=budget, seed=seed, config=config))
        # Seed by seed, so that an experiment that is cut short has compared every variant.
        return sorted(runs, key=lambda run: (run.variant != baseline.name, run.seed))

    def _equal_steps(self, variant: Variant, baseline: Variant, budget: Budget, rates: Mapping[str, float]) -> int:
        own = self.num_steps(variant, rates)
        if variant.name == baseline.name or budget in ("tokens", "steps"):
            return own
        if budget == "time":
            costs = rates[baseline.name], rates[variant.name]
        else:
            costs = tuple(flops_per_step(self.recipe(each, _ANY_LENGTH, 0)) for each in (baseline, variant))
        equal = max(1, round(self.num_steps(baseline, rates) * costs[0] / costs[1]))
        return own if abs(equal - own) <= _SAME_LENGTH * own else equal


def _without_defaults(value: Any) -> Any:
    """Return a config as what its fields say beyond their defaults; `kind` stays, as defaults depend on it."""
    if isinstance(value, list | tuple):
        return [_without_defaults(item) for item in value]
    if not is_dataclass(value):
        return value
    return {
        each.name: _without_defaults(getattr(value, each.name))
        for each in fields(value)
        if each.name == "kind" or getattr(value, each.name) != default_of(each)
    }


def flops_per_step(config: RunConfig) -> float:
    """Count the FLOPs of an optimizer step: matrix multiplies of forward and backward, and the update."""
    model = config.model
    update = config.optim.update_cost(parameter_shapes(model)).flops
    return training_flops(model, model.context_length, config.training.batch_size) + update


def share_execution(config: RunConfig, **execution: Any) -> RunConfig:
    """Return the run with other settings of how it is executed."""
    return replace(config, execution=replace(config.execution, **execution))
