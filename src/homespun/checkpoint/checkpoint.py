"""Saving and loading: a model, its optimizer and what else a run needs to go on exactly as if it had never stopped.

Tensors are named `model.<name>` and `optimizer.<parameter's name>.<key>`; the metadata, all strings, holds

    format      "homespun.checkpoint"      version    "1"      iteration   a decimal number
    state       JSON: whatever the caller keeps: schedule, random generators, place in the data, config
    optimizer   JSON: {"kind", "groups", "numbers"}: everything of it that is no tensor
    tied        JSON: {alias: name}: names that share another's tensor, which is saved once
    sha256      as `homespun.checkpoint.layout` defines it
"""

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer

from homespun.checkpoint.layout import WritableFile, read_tensors, write_tensors
from homespun.checkpoint.model_tensors import ModelTensors, check_matches, copy_into, model_tensors
from homespun.checkpoint.optimizer_tensors import load_optimizer, optimizer_state_dict, optimizer_tensors
from homespun.errors import CheckpointError
from homespun.files import check_is_file, storage_errors, write_atomically
from homespun.typed_json import parse_json

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
    """Write everything that `load_checkpoint` and `read_state` give back, bit for bit.

    A path gets the new file whole or keeps what it had, even if the process is killed or the power fails. A file
    object is written from its current position on, without that promise.

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
    content = model_tensors(model)
    tensors, rest = optimizer_tensors(model, optimizer)
    named = {f"{_MODEL}{name}": tensor for name, tensor in content.tensors.items()}
    named |= {f"{_OPTIMIZER}{name}": tensor for name, tensor in tensors.items()}
    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "iteration": str(iteration),
        "state": _to_json(dict(state), "state"),
        "optimizer": _to_json(rest, "the optimizer's settings"),
        "tied": _to_json(content.tied, "tied"),
    }
    if isinstance(out, str | os.PathLike):
        with write_atomically(Path(out)) as file:
            write_tensors(file, named, metadata)
    else:
        with storage_errors(Path(_name_of(out))):
            write_tensors(out, named, metadata)


def load_checkpoint(src: Source, model: nn.Module, optimizer: Optimizer) -> int:
    """Put a checkpoint's values into `model` and `optimizer`, on their devices, and return its iteration.

    The whole file is verified, and found to fit both, before either is touched.

    Args:
        src: A path, or a binary file object, which is read from its current position to its end.
        model: Of the architecture and type that was saved; compiled or not does not matter.
        optimizer: Of the kind that was saved, over the same parameters in the same groups.

    Raises:
        MissingFileError: there is no such file.
        CheckpointError: the file is truncated, altered, or of another model or optimizer.
    """
    saved = _read(src)
    own = model_tensors(model)
    check_matches(own, saved.model, saved.where)
    state_dict = optimizer_state_dict(model, optimizer, saved.optimizer_tensors, saved.optimizer_rest, saved.where)
    load_optimizer(optimizer, state_dict)
    copy_into(own, saved.model.tensors)
    return saved.iteration


def load_model(src: Source, model: nn.Module) -> int:
    """Put a checkpoint's weights into `model` and return its iteration: `load_checkpoint` without an optimizer.

    Raises:
        MissingFileError: there is no such file.
        CheckpointError: the file is truncated, altered, or of another model.
    """
    saved = _read(src)
    own = model_tensors(model)
    check_matches(own, saved.model, saved.where)
    copy_into(own, saved.model.tensors)
    return saved.iteration


def read_state(src: Source) -> dict[str, Any]:
    """The `state` that `save_checkpoint` was given.

    Raises:
        MissingFileError: there is no such file.
        CheckpointError: the file is truncated or altered, or is no checkpoint.
    """
    return _read(src).state


@dataclass(frozen=True, kw_only=True)
class _Saved:
    """A verified checkpoint; its tensors are views of the file."""

    where: str
    iteration: int
    state: dict[str, Any]
    model: ModelTensors
    optimizer_tensors: dict[str, Tensor]
    optimizer_rest: dict[str, Any]


def _read(src: Source) -> _Saved:
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
    try:
        return _Saved(
            where=where,
            iteration=int(metadata["iteration"]),
            state=_read_object(metadata["state"]),
            model=ModelTensors(tensors=_under(_MODEL, tensors), tied=_read_object(metadata["tied"])),
            optimizer_tensors=_under(_OPTIMIZER, tensors),
            optimizer_rest=_read_object(metadata["optimizer"]),
        )
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{where}: its metadata is incomplete ({error!r}); it was not homespun's writing"
        ) from error


def _map(path: Path) -> memoryview:
    check_is_file(path, "a checkpoint", "a run's lie in its checkpoints/ directory")
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        # Copy on write: torch wants writable memory, and nothing of the file is loaded before it is looked at.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read_object(text: str) -> dict[str, Any]:
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.80} where an object is expected")
    return value


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
