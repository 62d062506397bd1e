"""The byte layout of a checkpoint file: safetensors, with a hash over every byte.

    8 bytes   length of the header in bytes, unsigned, little-endian
    header    canonical JSON (keys sorted, no white space, ASCII), padded with spaces to a multiple of 8 bytes:
              {"NAME": {"data_offsets": [begin, end], "dtype": "F32", "shape": [...]}, ..., "__metadata__": {...}}
    data      the tensors' bytes, little-endian and row-major, one after the other without gaps: wider types first, so
              that each is aligned, then by name; `data_offsets` count from the start of this section

Values of `__metadata__` are strings. Its `sha256` is that of the whole header in canonical JSON without this one key,
followed by the data section in file order. A reader refuses a file with another hash, and a header that is serialized
differently, so that a change of any byte is noticed. The `safetensors` library reads such files unchanged.

Source: https://huggingface.co/docs/safetensors, "Format".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO, IOBase
from math import prod
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from homespun.errors import CheckpointError, DamagedCheckpointError
from homespun.typed_json import build_from_json, parse_json

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_METADATA, _HASH = "__metadata__", "sha256"
_LENGTH_BYTES = 8
_ALIGNMENT = 8
_REMEDY = "delete it and use the checkpoint before it"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What the header states of a tensor."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@runtime_checkable
class WritableFile(Protocol):
    """A binary file to write to: what `open(path, "wb")`, `io.BytesIO` and their like have in common."""

    def write(self, content: bytes | memoryview, /) -> object:
        """Append `content`."""
        ...


def write_tensors(file: WritableFile, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the layout above, fetching every tensor once from its device.

    The hash comes before the data that it covers, and is filled in at the end, so that only one tensor is in host
    memory at a time. For a stream, which cannot seek, the whole file is built in memory first.

    Raises:
        CheckpointError: a tensor's type has no name in the layout.
    """
    # A file opened for appending can seek, but always writes at its end.
    if not (isinstance(file, IOBase) and file.seekable() and "a" not in getattr(file, "mode", "")):
        whole = BytesIO()
        write_tensors(whole, tensors, metadata)
        file.write(whole.getbuffer())
        return
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header = _header_of({name: tensors[name] for name in order}, metadata)
    digest = sha256(_canonical(header))
    # As long as the hash itself, so that the header keeps its length.
    header[_METADATA][_HASH] = "0" * 2 * digest.digest_size
    begin = file.tell()
    _write_header(file, header)
    for name in order:
        content = _bytes_of(tensors[name])
        digest.update(content)
        file.write(content)
    end = file.tell()
    header[_METADATA][_HASH] = digest.hexdigest()
    file.seek(begin)
    _write_header(file, header)
    file.seek(end)


def _header_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Any]:
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _DTYPE_NAMES or tensor.layout != torch.strided:
            raise CheckpointError(
                f"{name}: a {tensor.layout} tensor of {tensor.dtype} cannot be saved; "
                f"the format has dense ones of {', '.join(DTYPES)}"
            )
        begin, end = end, end + tensor.numel() * tensor.element_size()
        shape, dtype = list(tensor.shape), _DTYPE_NAMES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    return header


def _write_header(file: WritableFile, header: Mapping[str, Any]) -> None:
    text = _serialize(header)
    file.write(len(text).to_bytes(_LENGTH_BYTES, "little") + text)


def read_tensors(content: memoryview, where: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a whole file, verified.

    Args:
        content: The file's bytes, writable, because the tensors are views of them.
        where: What to call the file in errors.

    Raises:
        CheckpointError: a byte is missing, added or changed, or this is another kind of file.
    """
    header, text = _read_header(content, where)
    metadata = header.pop(_METADATA)
    data = content[_LENGTH_BYTES + len(text) :]
    try:
        entries = {name: build_from_json(_Entry, entry, f"{name}: ") for name, entry in header.items()}
    except ValueError as error:
        raise DamagedCheckpointError(f"{where}: altered: its header is wrong: {error}; {_REMEDY}") from error
    # Reported before the hash is compared: a file that is too short is the usual damage.
    missing = max((entry.data_offsets[1] for entry in entries.values()), default=0) - len(data)
    if missing > 0:
        raise DamagedCheckpointError(f"{where}: truncated: {missing:,} bytes are missing at its end; {_REMEDY}")
    unhashed = {key: value for key, value in metadata.items() if key != _HASH}
    digest = sha256(_canonical({**header, _METADATA: unhashed}))
    digest.update(data)
    if _serialize({**header, _METADATA: metadata}) != text or digest.hexdigest() != metadata[_HASH]:
        raise DamagedCheckpointError(
            f"{where}: altered since it was written: its sha256 is not the one it states; {_REMEDY}"
        )
    return {name: _tensor_at(entry, data, f"{where}: {name}") for name, entry in entries.items()}, metadata


def _read_header(content: memoryview, where: str) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if len(content) < _LENGTH_BYTES + length:
        raise DamagedCheckpointError(
            f"{where}: truncated, or not a checkpoint: {len(content):,} bytes, fewer than its header should have; "
            f"{_REMEDY}"
        )
    text = bytes(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
    try:
        header = parse_json(text)
    except ValueError as error:
        raise DamagedCheckpointError(
            f"{where}: altered, or not a checkpoint: its header is not JSON; {_REMEDY}"
        ) from error
    match header:
        case {"__metadata__": {"sha256": str(), **others}} if all(isinstance(value, str) for value in others.values()):
            return header, text
    raise DamagedCheckpointError(
        f"{where}: its header states no sha256, or metadata that are not strings: this is not a checkpoint that "
        "homespun wrote; name one of a run's checkpoints/step-*.safetensors"
    )


def _tensor_at(entry: _Entry, data: memoryview, where: str) -> Tensor:
    """Return a view of the bytes that a header's entry names, checked: a forged header can have a valid hash."""
    try:
        dtype, (begin, end) = DTYPES[entry.dtype], entry.data_offsets
        # An unaligned view would be undefined behaviour in the kernels that read it.
        if end - begin != prod(entry.shape) * dtype.itemsize or begin % dtype.itemsize:
            raise ValueError("not the bytes of that shape")
        if begin == end:
            return torch.empty(entry.shape, dtype=dtype)
        return torch.frombuffer(data[begin:end], dtype=dtype).reshape(entry.shape)
    # torch raises its own errors for dimensions that overflow.
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{where}: the header's entry contradicts itself ({error}); {_REMEDY}") from error


def _bytes_of(tensor: Tensor) -> memoryview:
    # On the CPU neither call copies: the bytes are the tensor's own.
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _canonical(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _serialize(header: Mapping[str, Any]) -> bytes:
    """Return the header as it stands in the file, padded so that the data after it are aligned."""
    text = _canonical(header)
    return text + b" " * (-len(text) % _ALIGNMENT)
