"""A model as named tensors, and whether a checkpoint has the same ones."""

from dataclasses import dataclass

from torch import Tensor, nn

from homespun.errors import CheckpointError

_COMPILED = "_orig_mod."
_NAMED_AT_MOST = 4


@dataclass(frozen=True, kw_only=True)
class ModelTensors:
    """The tensors of a state dict, shared parameters once."""

    tensors: dict[str, Tensor]
    """By name in the uncompiled model; they share the model's memory."""

    tied: dict[str, str]
    """Further names of the same tensors: alias to name."""


def plain_name(name: str) -> str:
    """Return the name that a parameter had before `torch.compile` wrapped the model or one of its modules."""
    return name.replace(_COMPILED, "")


def model_tensors(model: nn.Module) -> ModelTensors:
    """Return the tensors of `model` to save, or to copy loaded values into.

    Raises:
        CheckpointError: its state dict has a value that is not a tensor.
    """
    tensors: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first_name: dict[int, str] = {}
    # By object, not by memory: a sharded parameter's address does not identify it, and empty tensors share one.
    objects = dict(model.named_parameters(remove_duplicate=False))
    objects |= dict(model.named_buffers(remove_duplicate=False))
    for full_name, tensor in model.state_dict().items():
        name = plain_name(full_name)
        if not isinstance(tensor, Tensor):
            raise CheckpointError(f"model.{name} is a {type(tensor).__name__}; a checkpoint can save only tensors")
        first = first_name.setdefault(id(objects.get(full_name, tensor)), name)
        if first != name:
            tied[name] = first
        else:
            tensors[name] = tensor
    return ModelTensors(tensors=tensors, tied=tied)


def check_matches(model: ModelTensors, saved: ModelTensors, where: str) -> None:
    """Refuse saved tensors that are not exactly those of the model.

    Raises:
        CheckpointError: names, ties, shapes or types differ; the message names the tensors.
    """
    own, others = _describe(model), _describe(saved)
    differing = [
        f"model.{name} is {others.get(name, 'absent')} there and {own.get(name, 'absent')} in this model"
        for name in sorted(own.keys() | others.keys())
        if own.get(name) != others.get(name)
    ]
    if differing:
        more = len(differing) - _NAMED_AT_MOST
        raise CheckpointError(
            f"{where}: not a checkpoint of this model: {', '.join(differing[:_NAMED_AT_MOST])}"
            f"{f' and {more} more' if more > 0 else ''}; build the model by the recipe that the checkpoint was trained "
            "with, and convert it to another type after loading"
        )


def _describe(model: ModelTensors) -> dict[str, str]:
    types = {name: f"{tensor.dtype} {tuple(tensor.shape)}" for name, tensor in model.tensors.items()}
    return types | {alias: f"the same tensor as model.{name}" for alias, name in model.tied.items()}
