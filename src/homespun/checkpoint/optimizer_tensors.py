"""An optimizer as named tensors and JSON: what a checkpoint saves of it, and how that is restored.

Its state is stored under the names of the model's parameters, as `NAME.exp_avg`, rather than under torch's running
numbers: people can read such a checkpoint, and an optimizer with its parameters in another order refuses it.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.checkpoint.model_tensors import plain_name
from homespun.errors import CheckpointError, ConfigError
from homespun.optim.optimizer import GroupedOptimizer, update_rule

_ANOTHER = "delete it and use the checkpoint before it"
_REBUILD = "build it by the recipe that the checkpoint was trained with"


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the optimizer's tensors by name, and the rest: its kind, its groups' settings, its state's numbers.

    Raises:
        CheckpointError: a parameter of the optimizer is not one of the model's.
    """
    groups = _names_by_group(model, optimizer)
    names = [name for group in groups for name in group]
    state_dict = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(names):
        values = state_dict["state"].get(index, {})
        tensors |= {f"{name}.{key}": value for key, value in values.items() if isinstance(value, Tensor)}
        others = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        # Stated for a parameter without state too (one that never had a gradient), so that lost state is noticed.
        if others or not values:
            numbers[name] = others
    settings = [
        {**{key: _as_json(value) for key, value in group.items()}, "params": group_names}
        for group, group_names in zip(state_dict["param_groups"], groups, strict=True)
    ]
    return tensors, {"kind": type(optimizer).__name__, "groups": settings, "numbers": numbers}


def optimizer_state_dict(
    model: nn.Module,
    optimizer: Optimizer,
    tensors: Mapping[str, Tensor],
    rest: Mapping[str, Any],
    where: str,
) -> dict[str, Any]:
    """Return what `optimizer.load_state_dict` takes, from what `optimizer_tensors` gave; change nothing.

    Raises:
        CheckpointError: the checkpoint is of another kind of optimizer, of other parameters, or has state that this
            optimizer cannot have.
    """
    own_kind, own_groups = type(optimizer).__name__, _names_by_group(model, optimizer)
    match rest:
        case {"kind": str(kind), "groups": [*groups], "numbers": {**numbers}} if all(
            isinstance(entry, dict) for entry in (*groups, *numbers.values())
        ):
            saved_groups = [group.get("params") for group in groups]
        case _:
            raise CheckpointError(f"{where}: its optimizer is not described as homespun does; name another checkpoint")
    if kind != own_kind:
        raise CheckpointError(f"{where}: its optimizer is {kind}, this one is {own_kind}; {_REBUILD}")
    if saved_groups != own_groups:
        raise CheckpointError(
            f"{where}: its optimizer groups parameters as {_sizes(saved_groups)}, this one as {_sizes(own_groups)}, "
            f"or in another order; {_REBUILD}"
        )
    state: dict[str, dict[str, Any]] = {name: {} for group in own_groups for name in group}
    for name, values in numbers.items():
        _of_parameter(state, name, where).update(values)
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition(".")
        values = _of_parameter(state, name, where)
        if key in values:
            raise CheckpointError(f"{where}: optimizer.{full_name} is there as a tensor and as a number; {_REBUILD}")
        # A copy: the file's memory is released once loading is done.
        values[key] = tensor.clone()
    lost = next((name for name, values in state.items() if not values and name not in numbers), None)
    if lost is not None:
        raise CheckpointError(f"{where}: the state of optimizer.{lost} is missing; {_ANOTHER}")
    param_groups = _restore_groups(optimizer.state_dict()["param_groups"], groups, where)
    for own_group, saved_group, names in zip(optimizer.param_groups, param_groups, own_groups, strict=True):
        members = zip(names, own_group["params"], strict=True)
        with_state = {name: (parameter, state[name]) for name, parameter in members if state[name]}
        _check_state(with_state, where)
        if isinstance(optimizer, GroupedOptimizer):
            _check_rule(own_group, saved_group, with_state, where)
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


def _of_parameter(state: dict[str, dict[str, Any]], name: str, where: str) -> dict[str, Any]:
    if name not in state:
        raise CheckpointError(f"{where}: optimizer.{name} belongs to no parameter of this optimizer; {_REBUILD}")
    return state[name]


def _check_state(group: Mapping[str, tuple[Tensor, Mapping[str, Any]]], where: str) -> None:
    """Refuse state on which the optimizer would fail in its next step, or would give wrong results silently.

    No optimizer is special here: all parameters of a group must have state with the same keys and types.
    """
    first = next(iter(group), "")
    for name, (parameter, values) in group.items():
        # For a scalar parameter, a moment and a step count have the same shape.
        by_shape = parameter.ndim > 0 and group[first][0].ndim > 0
        expected = {key: _kind_of(value, group[first][0], by_shape) for key, value in group[first][1].items()}
        found = {key: _kind_of(value, parameter, by_shape) for key, value in values.items()}
        differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        if differing:
            raise CheckpointError(
                f"{where}: optimizer.{name}: {', '.join(differing)} is missing or unlike that of {first}; {_ANOTHER}"
            )
        count = values.get("step", 0)
        number = count.item() if isinstance(count, Tensor) and count.numel() == 1 else count
        if type(number) not in (int, float) or not (isfinite(number) and number >= 0 and number == int(number)):
            raise CheckpointError(f"{where}: optimizer.{name}.step is {count!r:.80}, not a count of steps; {_ANOTHER}")


def _check_rule(
    own_group: Mapping[str, Any],
    saved_group: Mapping[str, Any],
    members: Mapping[str, tuple[Tensor, Mapping[str, Any]]],
    where: str,
) -> None:
    """Refuse settings and state that a group's update rule cannot have; complete for homespun's own optimizers."""
    rule = update_rule(own_group["kind"])
    try:
        rule.check_settings({**saved_group, "params": own_group["params"]})
    except ConfigError as error:
        raise CheckpointError(f"{where}: its optimizer's settings cannot be: {error}; {_ANOTHER}") from error
    for name, (parameter, values) in members.items():
        expected = rule.initial_state(torch.empty_like(parameter, device="meta"))
        for key in sorted(expected.keys() | values.keys()):
            found, own = values.get(key), expected.get(key)
            if not isinstance(found, Tensor) or own is None or (found.shape, found.dtype) != (own.shape, own.dtype):
                raise CheckpointError(f"{where}: optimizer.{name}.{key} is missing or of another kind; {_ANOTHER}")


def _kind_of(value: Any, parameter: Tensor, by_shape: bool) -> tuple[object, ...]:
    """Return what the state of one key has in common for all parameters of a group."""
    if not isinstance(value, Tensor):
        return (type(value),)
    shape = "the parameter's" if value.shape == parameter.shape else value.ndim
    return value.is_floating_point(), shape if by_shape else None


def _names_by_group(model: nn.Module, optimizer: Optimizer) -> list[list[str]]:
    name_of = {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}
    groups = [[name_of.get(id(parameter)) for parameter in group["params"]] for group in optimizer.param_groups]
    if any(name is None for group in groups for name in group):
        raise CheckpointError("the optimizer updates a parameter that is not the model's; give it model.parameters()")
    return [[name for name in group if name is not None] for group in groups]


def _restore_groups(own: list[dict[str, Any]], saved: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Merge the saved settings into this optimizer's, with lists converted back to tuples, as in `betas`."""
    restored = []
    for own_group, saved_group in zip(own, saved, strict=True):
        group = {**own_group, **saved_group, "params": own_group["params"]}
        for key, value in group.items():
            if key in saved_group and not (_fits(own_group.get(key), value) and _is_possible(key, value)):
                raise CheckpointError(
                    f"{where}: its optimizer's {key} is {value!r:.80}, this one's {own_group[key]!r}; {_ANOTHER}"
                )
        restored.append(
            {key: tuple(value) if isinstance(own_group.get(key), tuple) else value for key, value in group.items()}
        )
    return restored


def _fits(own: Any, saved: Any) -> bool:
    """Whether `saved`, read from JSON, can replace `own`; only numbers and tuples of them are checked."""
    if isinstance(own, tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(own) and all(map(_fits, own, saved))
    if isinstance(own, str):
        return own == saved
    return type(own) not in (int, float) or type(saved) is float or (type(saved) is int and abs(saved) < 2**63)


def _is_possible(key: str, value: Any) -> bool:
    """Whether a setting that all optimizers define alike is valid: decay rates of averages are in [0, 1)."""
    rates = value if key == "betas" else [value] if key == "momentum" else []
    return all(0 <= rate < 1 for rate in rates)


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _sizes(groups: list[Any]) -> str:
    return " + ".join(str(len(group)) if isinstance(group, list) else "?" for group in groups)
