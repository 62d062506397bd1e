"""A file of token ids that is being written."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from homespun.data.manifest import ShardRecord
from homespun.data.shards import npy_header
from homespun.files import write_atomically

_SYNC_BYTES = 8 << 20


class ShardFile:
    """Ids under a temporary name, until `close` or `drop` is called.

    They are sent to the disk as they come, at the side, so that little is left to wait for at the end.
    """

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        """Begin a file.

        Args:
            path: The name it takes once it is whole.
            dtype: The type of the ids in it.
        """
        self.num_tokens = 0
        self._path = path
        self._dtype = dtype
        self._num_bytes = 0
        self._num_separators = 0
        self._sha256 = hashlib.sha256()
        self._stack = ExitStack()
        self._file: BinaryIO = self._stack.enter_context(write_atomically(path))
        self._file.write(npy_header(dtype, 0))
        self._pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=1))
        self._syncing: Future[None] = Future()
        self._syncing.set_result(None)
        self._num_unsynced = 0

    def append(self, ids: npt.NDArray[np.unsignedinteger], num_bytes: int, num_separators: int) -> None:
        """Append ids that spell so many bytes, and of which so many are separators."""
        content = ids.astype(self._dtype, copy=False).data
        self._file.write(content)
        self._sha256.update(content)
        self._num_unsynced += len(content) * content.itemsize
        if self._num_unsynced >= _SYNC_BYTES and self._syncing.done():
            self._syncing.result()
            self._syncing = self._pool.submit(os.fsync, self._file.fileno())
            self._num_unsynced = 0
        self.num_tokens += len(ids)
        self._num_bytes += num_bytes
        self._num_separators += num_separators

    def close(self) -> ShardRecord:
        """Give the file its name, and say what it holds."""
        with self._stack:
            self._syncing.result()
            self._file.seek(0)
            self._file.write(npy_header(self._dtype, self.num_tokens))
        return ShardRecord(
            num_tokens=self.num_tokens,
            num_bytes=self._num_bytes,
            num_separators=self._num_separators,
            sha256=self._sha256.hexdigest(),
        )

    def drop(self, error: BaseException) -> None:
        """Remove what there is of the file, because of an error."""
        self._stack.__exit__(type(error), error, error.__traceback__)
