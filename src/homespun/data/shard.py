"""One shard of a token data set: a .npy file, version 1.0, whose header is always 128 bytes.

The header is written here and not by NumPy, whose padding differs between versions: a data set's bytes are the same
whatever made them.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from homespun.errors import DataError, MissingFileError
from homespun.files import write_atomically

REMEDY = "copy the data set again, or delete it and encode the text again"
"""What to do about a data set whose files are damaged or of another version."""

Ids = npt.NDArray[np.unsignedinteger]

_HEADER_BYTES = 128
_MAGIC = b"\x93NUMPY\x01\x00"
_UINT16_IDS = 1 << 16
# How much is written between two fsyncs: little is left to wait for at the end of a shard.
_SYNC_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What one shard holds."""

    num_tokens: int
    num_bytes: int
    """Bytes of the tokens' text, separators included."""
    num_separators: int
    sha256: str
    """Of the ids as stored, without the header."""


def id_dtype(vocab_size: int) -> np.dtype:
    """The smaller of uint16 and uint32 that holds every id."""
    return np.dtype("<u2" if vocab_size <= _UINT16_IDS else "<u4")


def shard_path(directory: Path, index: int) -> Path:
    """The path of the shard number `index`."""
    return directory / f"shard-{index:05d}.npy"


def npy_header(dtype: np.dtype, num_items: int) -> bytes:
    """The header of a .npy file that holds `num_items` of `dtype` in one dimension."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': ({num_items},), }}"
    length = _HEADER_BYTES - len(_MAGIC) - 2
    return _MAGIC + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n"


class ShardWriter:
    """Appends ids to a file that `write_shard` opened, and hashes them."""

    def __init__(self, file: BinaryIO, dtype: np.dtype, pool: ThreadPoolExecutor) -> None:
        self._file = file
        self._dtype = dtype
        self._pool = pool
        self._num_tokens = self._num_bytes = self._num_separators = 0
        self._sha256 = hashlib.sha256()
        self._num_unsynced = 0
        self._syncing: Future[None] = Future()
        self._syncing.set_result(None)
        file.write(npy_header(dtype, 0))

    def append(self, ids: Ids, num_bytes: int, num_separators: int) -> None:
        """Append ids whose text has `num_bytes` bytes and of which `num_separators` are separators."""
        content = ids.astype(self._dtype, copy=False).data
        self._file.write(content)
        self._sha256.update(content)
        self._num_tokens += len(ids)
        self._num_bytes += num_bytes
        self._num_separators += num_separators
        self._num_unsynced += len(content) * content.itemsize
        if self._num_unsynced >= _SYNC_BYTES and self._syncing.done():
            self._syncing.result()
            self._syncing = self._pool.submit(os.fsync, self._file.fileno())
            self._num_unsynced = 0

    def finish(self) -> ShardRecord:
        """Write the header, which states the number of ids; nothing may be appended after."""
        self._syncing.result()
        self._file.seek(0)
        self._file.write(npy_header(self._dtype, self._num_tokens))
        return ShardRecord(
            num_tokens=self._num_tokens,
            num_bytes=self._num_bytes,
            num_separators=self._num_separators,
            sha256=self._sha256.hexdigest(),
        )


@contextmanager
def write_shard(path: Path, dtype: np.dtype) -> Iterator[ShardWriter]:
    """Open a shard that takes its name when the block, in which `finish` is called, ends without an exception.

    Raises:
        StorageError: the disk is full or refuses.
    """
    with write_atomically(path) as file, ThreadPoolExecutor(max_workers=1) as pool:
        yield ShardWriter(file, dtype, pool)


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


def check_content(path: Path, sha256: str) -> None:
    """Raise DataError for a file whose items, without the header that `check_shard` compares, have another hash."""
    if sha256_of_items(path) != sha256:
        raise DataError(f"{path}: altered since it was written; {REMEDY}")


def sha256_of_items(path: Path) -> str:
    """The sha256 of the items in a file, without its header, which is known only when all of them are."""
    with path.open("rb") as file:
        file.seek(_HEADER_BYTES)
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_shard(path: Path, dtype: np.dtype, num_tokens: int) -> Ids:
    """The ids of a shard that `check_shard` accepted, memory-mapped and read-only."""
    return np.memmap(path, dtype, mode="r", offset=_HEADER_BYTES, shape=(num_tokens,)).view(np.ndarray)
