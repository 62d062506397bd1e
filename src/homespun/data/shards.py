"""One shard of a token data set: a .npy file, version 1.0, whose header is always 128 bytes.

The header is written here and not by NumPy, whose padding differs between versions: a data set's bytes are the same
whatever made them.
"""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homespun.errors import DataError, MissingFileError
from homespun.files import write_atomically

REMEDY = "copy the data set again, or delete it and make it anew"
"""What to do about a data set whose files are damaged."""

_HEADER_BYTES = 128
_MAGIC = b"\x93NUMPY\x01\x00"


def npy_header(dtype: np.dtype, num_items: int) -> bytes:
    """The header of a .npy file that holds `num_items` of `dtype` in one dimension."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({num_items},), }}"
    length = _HEADER_BYTES - len(_MAGIC) - 2
    return _MAGIC + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n"


def write_array(path: Path, array: npt.NDArray[np.integer]) -> None:
    """Write a one-dimensional array as a .npy file, atomically."""
    with write_atomically(path) as file:
        file.write(npy_header(array.dtype, len(array)))
        file.write(array.data)


def check_shard(path: Path, dtype: np.dtype, num_tokens: int) -> None:
    """Refuse a shard whose size or header is not that of `num_tokens` ids.

    Raises:
        MissingFileError: it is not there.
        DataError: it is truncated, longer than it should be, or of another kind.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: the shard is missing; {REMEDY}")
    expected = _HEADER_BYTES + num_tokens * dtype.itemsize
    actual = path.stat().st_size
    if actual != expected:
        kind = "truncated" if actual < expected else "too long"
        raise DataError(
            f"{path}: the shard is {kind}: {actual:,} bytes, expected {expected:,} for {num_tokens:,} tokens; {REMEDY}"
        )
    with path.open("rb") as file:
        if file.read(_HEADER_BYTES) != npy_header(dtype, num_tokens):
            raise DataError(f"{path}: the header is not that of {num_tokens:,} ids of {dtype}; {REMEDY}")


def sha256_of_items(path: Path) -> str:
    """The sha256 of the items in a file, without its header, which is known only when all of them are."""
    with path.open("rb") as file:
        file.seek(_HEADER_BYTES)
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_shard(path: Path, dtype: np.dtype, num_tokens: int) -> npt.NDArray[np.unsignedinteger]:
    """The ids of a shard that `check_shard` passed, memory-mapped and read-only."""
    return np.memmap(path, dtype, mode="r", offset=_HEADER_BYTES, shape=(num_tokens,)).view(np.ndarray)
