"""One optimizer for a run, whatever update rules its groups of parameters follow."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any, Protocol, overload, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.config import check_choice
from homespun.optim import average
from homespun.optim.config import SETTINGS, OptimConfig

ELEMENTS_AT_ONCE = 2**22
"""Elements of parameters updated together: bounds the memory of the temporaries, which is as large again."""


@runtime_checkable
class UpdateRule(Protocol):
    """What the module `homespun.optim.KIND` of an optimizer provides."""

    def initial_state(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the state of a parameter of `group` before its first step."""
        ...

    def update(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Tensor]],
        group: Mapping[str, Any],
        gradient_scale: float,
    ) -> None:
        """Take one step, in place, by `gradient_scale` times the gradients, which are left as they are."""


class GroupedOptimizer(Optimizer):
    """Update each group of parameters by the rule of its `kind`.

    One object with one state, so that a trainer steps, saves and restores AdamW and Muon together as if they were one.
    """

    # torch wraps these to keep its compiler out, and the wrapper imports the compiler: a second, and 150 MB. Nothing
    # here compiles an optimizer.
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        for group in self.param_groups:
            check_group(group)

    @overload
    def step(self, closure: None = None, *, gradient_scale: float = 1.0) -> None: ...
    @overload
    def step(self, closure: Callable[[], float], *, gradient_scale: float = 1.0) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None, *, gradient_scale: float = 1.0) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: Computes the gradients and returns the loss.
            gradient_scale: By which gradients are multiplied first: clipping, and the mean of a sum, cost no pass over
                them of their own.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = update_rule(group["kind"])
            for parameters in _bounded_lists(p for p in group["params"] if p.grad is not None):
                states = [self.state[parameter] for parameter in parameters]
                for parameter, state in zip(parameters, states, strict=True):
                    if not state:
                        state.update(initial_state(parameter, group))
                gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
                rule.update(parameters, gradients, states, group, gradient_scale)
        return loss


def initial_state(parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state of a parameter of `group` before its first step: its rule's, and an average if kept."""
    state = update_rule(group["kind"]).initial_state(parameter, group)
    return state | {average.KEY: average.empty_average(parameter)} if group.get("averages") else state


def check_group(group: Mapping[str, Any]) -> None:
    """Refuse settings of a group that cannot work.

    Raises:
        ConfigError: the message names the setting.
    """
    check_choice("kind", group["kind"], SETTINGS)
    settings = SETTINGS[group["kind"]]
    settings(**{f.name: group[f.name] for f in fields(settings) if f.name in group}).check("")


def update_rule(kind: str) -> UpdateRule:
    """Return the update rule of an optimizer's kind; its module is imported only when a run uses it."""
    rule: Any = import_module(f"homespun.optim.{kind}")
    return rule


def build_optimizer(model: nn.Module, config: OptimConfig) -> GroupedOptimizer:
    """Build the optimizer of `model` that `config` describes, at its peak learning rates.

    Raises:
        ConfigError: a rule matches no parameter, or an optimizer for matrices only would get another parameter.
    """
    return GroupedOptimizer(parameter_groups(model, config), {})


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict[str, Any]]:
    """Divide the trained parameters by the first rule of `config.groups` that matches their name.

    Each group holds its settings, and `peak_lr` next to `lr`: a schedule sets lr = peak_lr * scale, and so the weight
    decay where there is a `peak_weight_decay`. Matrices and
    tables of embeddings decay; vectors, such as the gains of norms, do not (unless `decay_all`): they are scales, whose
    neutral value is 1, not 0.

    Raises:
        ConfigError: a rule matches no parameter, or an optimizer for matrices only would get another parameter.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups: list[dict[str, Any]] = []
    for optimizer, names in config.assign({name: tuple(p.shape) for name, p in trained.items()}):
        members = [trained[name] for name in names]
        settings = {f.name: getattr(optimizer, f.name) for f in fields(SETTINGS[optimizer.kind])}
        settings["peak_lr"] = optimizer.lr
        if config.average.kind != "none":
            settings["averages"] = True
        follows_schedule = settings.pop("decay_follows_schedule", False)
        all_alike = settings.pop("decay_all", "weight_decay" not in settings)
        peak = {"peak_weight_decay": settings["weight_decay"]} if follows_schedule else {}
        groups.append({**settings, **peak, "params": [p for p in members if all_alike or p.ndim >= 2]})
        groups.append({**settings, "params": [p for p in members if not all_alike and p.ndim < 2], "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def set_learning_rates(optimizer: Optimizer, scale: float) -> None:
    """Set every group's learning rate to `scale` times its peak; so too its weight decay, where that was asked for."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * scale
        if "peak_weight_decay" in group:
            group["weight_decay"] = group["peak_weight_decay"] * scale


def _bounded_lists(parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Divide parameters, in their order, into lists of at most `ELEMENTS_AT_ONCE` elements, or of one larger one."""
    batch: list[Tensor] = []
    for parameter in parameters:
        if batch and sum(p.numel() for p in batch) + parameter.numel() > ELEMENTS_AT_ONCE:
            yield batch
            batch = []
        batch.append(parameter)
    if batch:
        yield batch
