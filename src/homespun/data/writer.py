"""Blocks of ids in, shards of equal length out."""

import hashlib
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from homespun.data.blocks import Block
from homespun.data.manifest import PROGRESS_NAME, Cursor, Progress, ShardRecord, shard_path, write_part
from homespun.data.shards import npy_header
from homespun.files import sha256_of_file, write_atomically


class ShardWriter:
    """Writes the ids that follow those of finished shards; each shard takes its name once it is whole.

    Leaving the `with` block well finishes the last shard; leaving it by an exception drops the unfinished one, and if
    there is none before it the directory is left as it was found.
    `progress` says at any time which shards stand and where their text ends, and so does the file of that name.
    """

    def __init__(self, directory: Path, progress: Progress, token_bytes: npt.NDArray[np.uint32]) -> None:
        """Go on from `progress`.

        Args:
            directory: Where the shards go.
            progress: What has been done before; blocks must come from its cursor on.
            token_bytes: How many bytes of text each id spells.
        """
        self.progress = progress
        self._directory = directory
        self._token_bytes = token_bytes
        self._num_to_skip = progress.cursor.num_done
        self._shard: _OpenShard | None = None

    def write(self, block: Block) -> None:
        """Append a block's ids, but for those that stand in finished shards already."""
        origin = self.progress.origin
        start = min(self._num_to_skip, len(block.ids))
        self._num_to_skip -= start
        while start < len(block.ids):
            if self._shard is None:
                path = shard_path(self._directory, len(self.progress.shards))
                self._shard = _OpenShard(path, origin.dtype, origin.shard_tokens)
            stop = min(len(block.ids), start + origin.shard_tokens - self._shard.num_tokens)
            self._shard.append(block.ids[start:stop], self._token_bytes, origin.separator_id)
            start = stop
            if self._shard.num_tokens == origin.shard_tokens:
                self._close_shard(
                    Cursor(
                        input_index=block.input_index,
                        offset=block.place.offset,
                        line=block.place.line,
                        num_done=block.num_before + stop,
                    )
                )

    def _close_shard(self, cursor: Cursor) -> None:
        assert self._shard is not None, "only an open shard is closed"
        record = self._shard.close()
        self._shard = None
        self.progress = replace(self.progress, shards=[*self.progress.shards, record], cursor=cursor)
        write_part(self._directory, self.progress)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            if self._shard is not None:
                # The last shard is the end: no cursor is needed, and the file of progress stays true without it.
                self.progress = replace(self.progress, shards=[*self.progress.shards, self._shard.close()])
            return
        try:
            if self._shard is not None:
                self._shard.drop(error)
        finally:
            if not self.progress.shards:
                # Nothing was achieved: leave nothing behind that a corrected call would have to be told to ignore.
                with suppress(OSError):
                    (self._directory / PROGRESS_NAME).unlink()
                    self._directory.rmdir()


class _OpenShard:
    """A shard under its temporary name."""

    def __init__(self, path: Path, dtype: np.dtype, capacity: int) -> None:
        self.num_tokens = 0
        self._path = path
        self._dtype = dtype
        self._capacity = capacity
        self._num_bytes = 0
        self._num_separators = 0
        self._stack = ExitStack()
        self._file: BinaryIO = self._stack.enter_context(write_atomically(path))
        # Hashed as written, with the header of a full shard: only the last one has to be read again.
        header = npy_header(dtype, capacity)
        self._digest = hashlib.sha256(header)
        self._file.write(header)

    def append(self, ids: npt.NDArray[np.uint32], token_bytes: npt.NDArray[np.uint32], separator_id: int) -> None:
        data = ids.astype(self._dtype).data
        self._file.write(data)
        self._digest.update(data)
        self.num_tokens += len(ids)
        self._num_bytes += int(token_bytes[ids].sum(dtype=np.int64))
        self._num_separators += int(np.count_nonzero(ids == separator_id))

    def close(self) -> ShardRecord:
        is_full = self.num_tokens == self._capacity
        if not is_full:
            self._file.seek(0)
            self._file.write(npy_header(self._dtype, self.num_tokens))
        self._stack.close()
        return ShardRecord(
            num_tokens=self.num_tokens,
            num_bytes=self._num_bytes,
            num_separators=self._num_separators,
            sha256=self._digest.hexdigest() if is_full else sha256_of_file(self._path),
        )

    def drop(self, error: BaseException) -> None:
        self._stack.__exit__(type(error), error, error.__traceback__)
