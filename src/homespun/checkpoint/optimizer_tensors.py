"""An optimizer as named tensors and a little JSON: what a checkpoint saves of it, and putting that back.

Its state is filed under the names of the model's parameters, as `NAME.exp_avg`, rather than under torch's running
numbers: a checkpoint can be read by people, and is refused by an optimizer whose parameters stand in another order.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.checkpoint.model_tensors import plain_name
from homespun.errors import CheckpointError


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimizer's tensors by name, and the rest: its kind, its groups' settings, its state's numbers.

    Raises:
        CheckpointError: a parameter of the optimizer is none of the model's.
    """
    groups = _names_by_group(model, optimizer)
    names = [name for group in groups for name in group]
    state_dict = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in state_dict["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{names[index]}.{key}"] = value
            else:
                numbers.setdefault(names[index], {})[key] = value
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
    """What `optimizer.load_state_dict` takes, from what `optimizer_tensors` gave; changes nothing.

    Raises:
        CheckpointError: the checkpoint is of another kind of optimizer, or of other parameters.
    """
    own_kind, own_groups = type(optimizer).__name__, _names_by_group(model, optimizer)
    match rest:
        case {"kind": str(kind), "groups": [*groups], "numbers": {**numbers}} if all(
            isinstance(part, dict) for part in (*groups, *numbers.values())
        ):
            saved_groups = [group.get("params") for group in groups]
        case _:
            raise CheckpointError(f"{where}: its optimizer is not described as homespun does; name another checkpoint")
    if kind != own_kind:
        raise CheckpointError(
            f"{where}: its optimizer is {kind}, this one is {own_kind}; choose the same in optim.name"
        )
    if saved_groups != own_groups:
        raise CheckpointError(
            f"{where}: its optimizer groups parameters as {_sizes(saved_groups)}, this one as {_sizes(own_groups)}, "
            "or in another order; build it by the recipe that the checkpoint was trained with"
        )
    index_of = {name: index for index, name in enumerate(name for group in own_groups for name in group)}
    for name in [*numbers, *(full_name.rpartition(".")[0] for full_name in tensors)]:
        if name not in index_of:
            raise CheckpointError(f"{where}: optimizer.{name} belongs to no parameter of this optimizer")
    state: dict[int, dict[str, Any]] = {index_of[name]: dict(values) for name, values in numbers.items()}
    for full_name, tensor in tensors.items():
        name, _, key = full_name.rpartition(".")
        # A copy: the file's memory is let go once loading is done.
        state.setdefault(index_of[name], {})[key] = tensor.clone()
    return {
        "state": state,
        "param_groups": _restore_groups(optimizer.state_dict()["param_groups"], groups, where),
    }


def load_optimizer(optimizer: Optimizer, state_dict: dict[str, Any]) -> None:
    """`optimizer.load_state_dict`, but a state that is wider than its parameter stays so.

    torch casts what it loads to the parameter's type, which would round float32 moments of bfloat16 weights.
    """
    optimizer.load_state_dict(state_dict)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, values in state_dict["state"].items():
        own = optimizer.state[parameters[index]]
        for key, value in values.items():
            if isinstance(value, Tensor) and own[key].dtype != value.dtype:
                own[key] = value.to(own[key].device)


def _names_by_group(model: nn.Module, optimizer: Optimizer) -> list[list[str]]:
    name_of = {id(parameter): plain_name(name) for name, parameter in model.named_parameters()}
    groups = [[name_of.get(id(parameter)) for parameter in group["params"]] for group in optimizer.param_groups]
    if any(name is None for group in groups for name in group):
        raise CheckpointError("the optimizer updates a parameter that is not the model's; give it model.parameters()")
    return [[name for name in group if name is not None] for group in groups]


def _restore_groups(own: list[dict[str, Any]], saved: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """The saved settings on top of this optimizer's, with lists turned back to the tuples they were, as in `betas`."""
    restored = []
    for own_group, saved_group in zip(own, saved, strict=True):
        group = {**own_group, **saved_group, "params": own_group["params"]}
        for key, value in group.items():
            if key in saved_group and not _fits(own_group.get(key), value):
                raise CheckpointError(
                    f"{where}: its optimizer's {key} is {value!r:.80}, this one's {own_group[key]!r}; "
                    "name another checkpoint"
                )
        restored.append(
            {key: tuple(value) if isinstance(own_group.get(key), tuple) else value for key, value in group.items()}
        )
    return restored


def _fits(own: Any, saved: Any) -> bool:
    """Whether `saved`, read from JSON, may stand where `own` does; of what is no number, its owner must know."""
    if isinstance(own, tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(own) and all(map(_fits, own, saved))
    return type(own) not in (int, float) or type(saved) is float or (type(saved) is int and abs(saved) < 2**63)


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _sizes(groups: list[Any]) -> str:
    return " + ".join(str(len(group)) if isinstance(group, list) else "?" for group in groups)
