"""An optimizer as named tensors and JSON: what a checkpoint saves of it, and how that is restored.

Its state is stored under the names of the model's parameters, as `NAME.exp_avg`, rather than under torch's running
numbers: such a checkpoint is readable, and an optimizer whose parameters are in another order refuses it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.checkpoint.model_tensors import plain_name
from homespun.errors import CheckpointError, ConfigError
from homespun.optim.optimizer import GroupedOptimizer, check_group, initial_state

_ANOTHER = "delete it and use the checkpoint before it"
_REBUILD = "build it by the recipe that the checkpoint was trained with"


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Everything of an optimizer except its tensors."""

    kind: str
    """Name of its class."""
    groups: list[dict[str, Any]]
    """Settings of each group, and under `params` the names of its parameters."""
    numbers: dict[str, dict[str, Any]]
    """State that is no tensor, by parameter; {} for a parameter without any state."""


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> tuple[dict[str, Tensor], OptimizerSettings]:
    """Return the optimizer's tensors by name, and everything else of it.

    Raises:
        CheckpointError: a parameter of the optimizer is not one of the model's.
    """
    groups = _names_by_group(model, optimizer)
    state_dict = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(chain.from_iterable(groups)):
        values = state_dict["state"].get(index, {})
        tensors |= {f"{name}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
        others = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        # Stated for a parameter without state too (one that never had a gradient), so that lost state is noticed.
        if others or not values:
            numbers[name] = others
    settings = []
    for group, group_names in zip(state_dict["param_groups"], groups, strict=True):
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in group.items()}
        settings.append({**values, "params": group_names})
    return tensors, OptimizerSettings(kind=type(optimizer).__name__, groups=settings, numbers=numbers)


def optimizer_state_dict(
    model: nn.Module,
    optimizer: Optimizer,
    tensors: Mapping[str, Tensor],
    saved: OptimizerSettings,
    where: str,
) -> dict[str, Any]:
    """Return what `optimizer.load_state_dict` takes, from what `optimizer_tensors` gave; change nothing.

    Raises:
        CheckpointError: the checkpoint is of another kind of optimizer, of other parameters, or has state that this
            optimizer cannot have.
    """
    own_kind, own_groups = type(optimizer).__name__, _names_by_group(model, optimizer)
    if saved.kind != own_kind:
        raise CheckpointError(f"{where}: its optimizer is {saved.kind}, this one is {own_kind}; {_REBUILD}")
    saved_groups = [group.get("params") for group in saved.groups]
    if saved_groups != own_groups:
        raise CheckpointError(
            f"{where}: its optimizer groups parameters as {_sizes(saved_groups)}, this one as {_sizes(own_groups)}, "
            f"or in another order; {_REBUILD}"
        )
    # A parameter without state has an entry in `numbers`, so both name every parameter.
    saved_names = {*saved.numbers, *(full_name.rpartition(".")[0] for full_name in tensors)}
    state = {name: dict(saved.numbers.get(name, {})) for group in own_groups for name in group}
    if differing := sorted(saved_names ^ state.keys()):
        raise CheckpointError(
            f"{where}: optimizer.{differing[0]}: its state is missing, or it is no parameter of this optimizer; "
            f"{_ANOTHER}"
        )
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition(".")
        if key in state[name]:
            raise CheckpointError(f"{where}: optimizer.{full_name} is there as a tensor and as a number; {_ANOTHER}")
        # A copy: the file's memory is released once loading is done.
        state[name][key] = tensor.clone()
    param_groups = _restore_groups(optimizer.state_dict()["param_groups"], saved.groups, where)
    for own_group, saved_group, names in zip(optimizer.param_groups, param_groups, own_groups, strict=True):
        own_state = None
        if isinstance(optimizer, GroupedOptimizer):
            own_state = partial(initial_state, group=own_group)
            try:
                check_group(saved_group)
            except ConfigError as error:
                raise CheckpointError(f"{where}: its optimizer's settings cannot be: {error}; {_ANOTHER}") from error
        members = zip(names, own_group["params"], strict=True)
        with_state = {name: (parameter, state[name]) for name, parameter in members if state[name]}
        _check_state(with_state, own_state, where)
    return {
        "state": {index: values for index, values in enumerate(state.values()) if values},
        "param_groups": param_groups,
    }


def load_optimizer(optimizer: Optimizer, state_dict: dict[str, Any]) -> None:
    """Call `optimizer.load_state_dict`, but keep state that is wider than its parameter.

    torch casts what it loads to the parameter's type, which would round float32 moments of bfloat16 weights.
    """
    optimizer.load_state_dict(state_dict)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, values in state_dict["state"].items():
        own = optimizer.state[parameters[index]]
        for key, value in values.items():
            if isinstance(value, Tensor) and own[key].dtype != value.dtype:
                own[key] = value.to(own[key].device)


def _check_state(
    members: Mapping[str, tuple[Tensor, Mapping[str, Any]]],
    own_state: Callable[[Tensor], dict[str, Tensor]] | None,
    where: str,
) -> None:
    """Refuse state on which the optimizer would fail in its next step, or would give wrong results silently.

    Our own rules state what a parameter's state is. Of a foreign optimizer (`own_state` None) it is only known that
    all parameters of a group have state with the same keys and types, here those of the first.
    """
    for name, (parameter, values) in members.items():
        if own_state is not None:
            model = own_state(torch.empty_like(parameter, device="meta"))
            expected, found = _exact_kinds(model), _exact_kinds(values)
        else:
            first, model = next(iter(members.values()))
            # For a scalar parameter, a moment and a step count have the same shape.
            by_shape = parameter.ndim > 0 and first.ndim > 0
            expected, found = _kinds(model, first, by_shape), _kinds(values, parameter, by_shape)
        differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        if differing:
            raise CheckpointError(
                f"{where}: optimizer.{name}: {', '.join(differing)} is missing or of another shape or type than "
                f"this optimizer's; {_ANOTHER}"
            )
        count = values.get("step", 0)
        number = count.item() if isinstance(count, Tensor) and count.numel() == 1 else count
        if type(number) not in (int, float) or not (isfinite(number) and number >= 0 and number == int(number)):
            raise CheckpointError(f"{where}: optimizer.{name}.step is {count!r:.80}, not a count of steps; {_ANOTHER}")


def _exact_kinds(values: Mapping[str, Any]) -> dict[str, object]:
    return {key: (x.dtype, x.shape) if isinstance(x, Tensor) else type(x) for key, x in values.items()}


def _kinds(values: Mapping[str, Any], parameter: Tensor, by_shape: bool) -> dict[str, object]:
    """Return what the state of each key has in common for all parameters of a foreign optimizer's group."""

    def kind_of(value: Any) -> object:
        if not isinstance(value, Tensor):
            return type(value)
        shape = "the parameter's" if value.shape == parameter.shape else value.ndim
        return value.is_floating_point(), shape if by_shape else None

    return {key: kind_of(value) for key, value in values.items()}


def _names_by_group(model: nn.Module, optimizer: Optimizer) -> list[list[str]]:
    name_of = {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}
    try:
        return [[name_of[id(parameter)] for parameter in group["params"]] for group in optimizer.param_groups]
    except KeyError as error:
        raise CheckpointError(
            "the optimizer updates a parameter that is not the model's; give it model.parameters()"
        ) from error


def _restore_groups(own: list[dict[str, Any]], saved: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Merge the saved settings into this optimizer's, with lists converted back to tuples, as in `betas`."""
    restored = []
    for own_group, saved_group in zip(own, saved, strict=True):
        group = {**own_group, **saved_group, "params": own_group["params"]}
        for key, own_value in own_group.items():
            value = group[key]
            if not (_fits(own_value, value) and _is_possible(key, value)):
                raise CheckpointError(
                    f"{where}: its optimizer's {key} is {value!r:.80}, this one's {own_value!r}; {_ANOTHER}"
                )
            group[key] = tuple(value) if isinstance(own_value, tuple) else value
        restored.append(group)
    return restored


def _fits(own: Any, saved: Any) -> bool:
    """Whether `saved`, read from JSON, can replace `own`; only switches, numbers and tuples of them are checked."""
    if isinstance(own, bool):
        return isinstance(saved, bool)
    if isinstance(own, tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(own) and all(map(_fits, own, saved))
    if isinstance(own, str):
        return own == saved
    return type(own) not in (int, float) or type(saved) is float or (type(saved) is int and abs(saved) < 2**63)


def _is_possible(key: str, value: Any) -> bool:
    """Whether a setting that all optimizers define alike is valid: decay rates of averages are in [0, 1)."""
    rates = value if key == "betas" else [value] if key == "momentum" else []
    return all(0 <= rate < 1 for rate in rates)


def _sizes(groups: list[Any]) -> str:
    return " + ".join(str(len(group)) if isinstance(group, list) else "?" for group in groups)
