"""Save and load a model, its optimizer and everything else that a run needs to resume bit for bit.

Tensors are named `model.<name>` and `optimizer.<parameter's name>.<key>`; the metadata, all strings, are

    format      "homespun.checkpoint"      version    "1"      iteration   a decimal number
    state       JSON: whatever the caller keeps: random generators, samples consumed, meters
    optimizer   JSON: {"kind", "groups", "numbers"}: all except tensors; a parameter without state has {} in numbers
    tied        JSON: {alias: name}: names that share another's tensor, which is saved once
    sha256      as `homespun.checkpoint.layout` defines it
"""

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.checkpoint.layout import WritableFile, read_tensors, write_tensors
from homespun.checkpoint.model_tensors import ModelTensors, check_matches, model_tensors
from homespun.checkpoint.optimizer_tensors import (
    OptimizerSettings,
    load_optimizer,
    optimizer_state_dict,
    optimizer_tensors,
)
from homespun.errors import CheckpointError
from homespun.files import check_is_file, storage_errors, write_atomically
from homespun.typed_json import build_from_json, parse_json

_FORMAT = "homespun.checkpoint"
_VERSION = "1"
_MODEL, _OPTIMIZER = "model.", "optimizer."


@runtime_checkable
class ReadableFile(Protocol):
    """A binary file to read from: what `open(path, "rb")`, `io.BytesIO` and their like have in common."""

    def read(self) -> bytes:
        """Everything from the current position to the end."""
        ...


Source = str | os.PathLike[str] | ReadableFile
Destination = str | os.PathLike[str] | WritableFile


def save_checkpoint(
    model: nn.Module,
    optimizer: Optimizer,
    iteration: int,
    out: Destination,
    *,
    state: Mapping[str, Any] = {},
) -> None:
    """Write what `load_checkpoint` and `read_state` restore, bit for bit.

    A path is replaced atomically: it keeps its old content if the process is killed or the power fails. A file object
    is written from its current position on, without that promise.

    Args:
        model: Its state dict is saved, under the names it has without `torch.compile`; shared tensors once.
        optimizer: Must update parameters of `model` only.
        iteration: Optimizer steps done.
        out: A path or a binary file object.
        state: What else to keep: a JSON object, with string keys and lists rather than tuples.

    Raises:
        CheckpointError: something cannot be represented, and would not come back as it was.
        StorageError: the disk is full or refuses to be written to.
    """
    CheckpointContent.of(model, optimizer, iteration, state).write(out)


@dataclass(frozen=True, kw_only=True)
class CheckpointContent:
    """What a checkpoint file is going to hold; the tensors are those of model and optimizer until it is copied."""

    tensors: Mapping[str, Tensor]
    """By name in the file."""
    metadata: Mapping[str, str]

    @classmethod
    def of(
        cls, model: nn.Module, optimizer: Optimizer, iteration: int, state: Mapping[str, Any]
    ) -> "CheckpointContent":
        """Collect what `save_checkpoint` writes.

        Raises:
            CheckpointError: something cannot be represented, and would not come back as it was.
        """
        content = model_tensors(model)
        tensors, settings = optimizer_tensors(model, optimizer)
        named = {f"{_MODEL}{name}": tensor.detach() for name, tensor in content.tensors.items()}
        named |= {f"{_OPTIMIZER}{name}": tensor.detach() for name, tensor in tensors.items()}
        metadata = {
            "format": _FORMAT,
            "version": _VERSION,
            "iteration": str(iteration),
            "state": _to_json(dict(state), "state"),
            "optimizer": _to_json(asdict(settings), "the optimizer's settings"),
            "tied": _to_json(content.tied, "tied"),
        }
        return cls(tensors=named, metadata=metadata)

    def copy(self, used: "CheckpointContent | None" = None) -> "CheckpointContent":
        """Copy the tensors to the host's memory, so that training may continue while they are written.

        Args:
            used: An earlier copy that nobody needs any more: its memory is used again where shapes agree. Fresh memory
                costs more than the copying. What comes from a GPU is copied into pinned memory.
        """
        before = used.tensors if used is not None else {}
        copies = {name: _host_buffer(tensor, before.get(name)) for name, tensor in self.tensors.items()}
        for name, tensor in self.tensors.items():
            copies[name].copy_(tensor, non_blocking=True)
        for device in {tensor.device for tensor in self.tensors.values() if tensor.is_cuda}:
            torch.cuda.synchronize(device)
        return CheckpointContent(tensors=copies, metadata=self.metadata)

    def write(self, out: Destination) -> None:
        """Write the file; a path is replaced atomically.

        Raises:
            CheckpointError: a tensor cannot be represented.
            StorageError: the disk is full or refuses to be written to.
        """
        if isinstance(out, str | os.PathLike):
            with write_atomically(Path(out)) as file:
                write_tensors(file, self.tensors, self.metadata)
        else:
            with storage_errors(Path(_name_of(out))):
                write_tensors(out, self.tensors, self.metadata)


def _host_buffer(tensor: Tensor, used: Tensor | None) -> Tensor:
    """Return memory of the host for a copy of `tensor`, with undefined content."""
    if used is not None and (used.shape, used.dtype) == (tensor.shape, tensor.dtype):
        return used
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)


def load_checkpoint(src: Source, model: nn.Module, optimizer: Optimizer) -> int:
    """Copy a checkpoint's values into `model` and `optimizer`, on their devices, and return its iteration.

    The whole file is verified and checked against both before either is changed.

    Args:
        src: A path, or a binary file object, which is read from its current position to its end.
        model: Of the architecture and type that was saved; compiled or not does not matter.
        optimizer: Of the kind that was saved, over the same parameters in the same groups.

    Raises:
        MissingFileError, CheckpointError: as `Checkpoint.open` and `Checkpoint.load_into` state.
    """
    return Checkpoint.open(src).load_into(model, optimizer)


def load_model(src: Source, model: nn.Module) -> int:
    """Copy a checkpoint's weights into `model` and return its iteration: `load_checkpoint` without an optimizer."""
    return Checkpoint.open(src).load_into(model)


def read_state(src: Source) -> dict[str, Any]:
    """Return the `state` that `save_checkpoint` was given, or fail as `Checkpoint.open` does."""
    return Checkpoint.open(src).state


@dataclass(frozen=True, kw_only=True)
class _Metadata:
    """The metadata that are JSON, under their names in the file."""

    iteration: int
    state: dict[str, Any]
    optimizer: OptimizerSettings
    tied: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint, read once; its tensors are views of the file."""

    where: str
    """Its path, or another name for it in errors."""
    iteration: int
    """Optimizer steps done."""
    state: dict[str, Any]
    """What `save_checkpoint` was given as `state`."""
    model: ModelTensors
    """Its model's tensors."""
    optimizer_tensors: dict[str, Tensor]
    optimizer: OptimizerSettings

    @classmethod
    def open(cls, src: Source) -> "Checkpoint":
        """Read and verify a whole checkpoint.

        Raises:
            MissingFileError: there is no such file.
            CheckpointError: the file is truncated or altered, or is no checkpoint.
        """
        if isinstance(src, str | os.PathLike):
            where, content = str(src), _map(Path(src))
        else:
            where, content = _name_of(src), memoryview(bytearray(src.read()))
        tensors, metadata = read_tensors(content, where)
        if metadata.get("format") != _FORMAT or metadata.get("version") != _VERSION:
            raise CheckpointError(
                f"{where}: format {metadata.get('format')!r}, version {metadata.get('version')!r}; this homespun reads "
                f"{_FORMAT!r}, version {_VERSION!r}; use the version that wrote it"
            )
        names = [field.name for field in fields(_Metadata)]
        try:
            values = {name: parse_json(metadata[name]) for name in names if name in metadata}
            read: _Metadata = build_from_json(_Metadata, values)
        except ValueError as error:
            raise CheckpointError(
                f"{where}: its metadata are not homespun's: {error}; delete it and use the checkpoint before it"
            ) from error
        return cls(
            where=where,
            iteration=read.iteration,
            state=read.state,
            model=ModelTensors(tensors=_under(_MODEL, tensors), tied=read.tied),
            optimizer_tensors=_under(_OPTIMIZER, tensors),
            optimizer=read.optimizer,
        )

    def load_into(self, model: nn.Module, optimizer: Optimizer | None = None) -> int:
        """Copy the values into `model` and `optimizer`, on their devices, and return the iteration.

        Everything is checked before anything is changed.

        Raises:
            CheckpointError: the checkpoint is of another model or optimizer, or has impossible state.
        """
        own = model_tensors(model)
        check_matches(own, self.model, self.where)
        if optimizer is not None:
            tensors, saved = self.optimizer_tensors, self.optimizer
            load_optimizer(optimizer, optimizer_state_dict(model, optimizer, tensors, saved, self.where))
        with torch.no_grad():
            for name, tensor in own.tensors.items():
                tensor.copy_(self.model.tensors[name])
        return self.iteration


def _map(path: Path) -> memoryview:
    check_is_file(path, "a checkpoint", "a run's lie in its checkpoints/ directory")
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        # Copy on write: torch requires writable memory. One mapping serves hash and loading: the file is read once.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _to_json(value: Any, what: str) -> str:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{what} cannot be saved as JSON: {error}") from error
    if json.loads(text) != value:
        raise CheckpointError(f"{what} would not come back from JSON as it is; use string keys, and lists for tuples")
    return text


def _name_of(file: ReadableFile | WritableFile) -> str:
    return str(getattr(file, "name", "the checkpoint"))
