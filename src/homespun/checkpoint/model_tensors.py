"""A model as named tensors: what a checkpoint saves, and copying loaded values back."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
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
    _check_same_names(model, saved, where)
    for name, tensor in model.tensors.items():
        other = saved.tensors[name]
        if other.shape != tensor.shape:
            raise CheckpointError(
                f"{where}: model.{name} has shape {tuple(other.shape)} there and {tuple(tensor.shape)} in this model; "
                "build the model by the recipe that the checkpoint was trained with"
            )
        if other.dtype != tensor.dtype:
            raise CheckpointError(
                f"{where}: model.{name} is {other.dtype} there and {tensor.dtype} in this model; "
                "build the model in the checkpoint's type, load it, then convert it"
            )


def copy_into(model: ModelTensors, saved: Mapping[str, Tensor]) -> None:
    """Overwrite the model's values, in place and on its device."""
    with torch.no_grad():
        for name, tensor in model.tensors.items():
            tensor.copy_(saved[name])


def _check_same_names(model: ModelTensors, saved: ModelTensors, where: str) -> None:
    own, others = model.tensors.keys() | model.tied.keys(), saved.tensors.keys() | saved.tied.keys()
    if own != others:
        difference = [("lacks", own - others), ("has besides", others - own)]
        differing = " and ".join(f"{verb} {_some(names)}" for verb, names in difference if names)
        raise CheckpointError(
            f"{where}: not a checkpoint of this model: it {differing}; "
            "build the model by the recipe that the checkpoint was trained with"
        )
    if model.tied != saved.tied:
        differing = _some({name for pair in model.tied.items() ^ saved.tied.items() for name in pair})
        raise CheckpointError(
            f"{where}: {differing} share one tensor in either the checkpoint or this model, not in both; "
            "build the model by the recipe that the checkpoint was trained with"
        )


def _some(names: set[str]) -> str:
    shown = [f"model.{name}" for name in sorted(names)]
    more = len(shown) - _NAMED_AT_MOST
    return ", ".join(shown[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
