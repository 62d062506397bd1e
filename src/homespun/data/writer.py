"""Blocks of ids in, shards of equal length out."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from homespun.data.blocks import Block
from homespun.data.manifest import (
    PROGRESS_NAME,
    TOKEN_BYTES_NAME,
    Cursor,
    Progress,
    ShardRecord,
    shard_path,
    write_part,
)
from homespun.data.shards import npy_header, write_array
from homespun.files import write_atomically


class ShardWriter:
    """Writes the ids that follow those of finished shards; each shard takes its name once it is whole.

    A full shard is hashed and made to last on another thread while the next is written. Leaving the `with` block well
    finishes the last shard; leaving it by an exception drops the unfinished one, and if there is none before it the
    directory is left as it was found. `progress` says which shards stand and where their text ends, and so does the
    file of that name, which is there before any shard.
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
        self._num_begun = len(progress.shards)
        self._shard: _OpenShard | None = None
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._finishing: Future[None] = self._pool.submit(self._begin)

    def write(self, block: Block) -> None:
        """Append a block's ids, but for those that stand in finished shards already.

        Raises:
            StorageError: the disk is full, or refuses to be written to.
        """
        origin = self.progress.origin
        start = min(self._num_to_skip, len(block.ids))
        self._num_to_skip -= start
        while start < len(block.ids):
            if self._shard is None:
                path = shard_path(self._directory, self._num_begun)
                self._shard = _OpenShard(path, origin.dtype, origin.shard_tokens)
                self._num_begun += 1
            stop = min(len(block.ids), start + origin.shard_tokens - self._shard.num_tokens)
            self._shard.append(block.ids[start:stop], *self._measure(block, start, stop))
            start = stop
            if self._shard.num_tokens == origin.shard_tokens:
                cursor = Cursor(
                    input_index=block.input_index,
                    offset=block.place.offset,
                    line=block.place.line,
                    num_done=block.num_before + stop,
                )
                self._begin_finishing(cursor)
        if self._finishing.done():
            self._finishing.result()

    def _begin(self) -> None:
        """Note what is being made before there is a shard of it, and write what needs none."""
        write_part(self._directory, self.progress)
        write_array(self._directory / TOKEN_BYTES_NAME, self._token_bytes)

    def _measure(self, block: Block, start: int, stop: int) -> tuple[int, int]:
        """Bytes and separators of a part of a block; token by token only where a shard ends inside it."""
        if stop - start == len(block.ids):
            return block.num_bytes, block.num_separators
        ids = block.ids[start:stop]
        num_separators = np.count_nonzero(ids == self.progress.origin.separator_id)
        return int(self._token_bytes[ids].sum(dtype=np.int64)), int(num_separators)

    def _begin_finishing(self, cursor: Cursor | None) -> None:
        """Finish the open shard on the other thread, once the shard before it is."""
        assert self._shard is not None, "only an open shard is finished"
        shard, self._shard = self._shard, None
        try:
            self._finishing.result()
        except BaseException as error:
            shard.drop(error)
            raise
        self._finishing = self._pool.submit(self._finish, shard, cursor)

    def _finish(self, shard: "_OpenShard", cursor: Cursor | None) -> None:
        record = shard.close()
        self.progress = replace(self.progress, shards=[*self.progress.shards, record])
        if cursor is not None:
            # After the last shard is the end: no cursor is needed, and the file of progress stays true without it.
            self.progress = replace(self.progress, cursor=cursor)
            write_part(self._directory, self.progress)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._shard is not None:
                    self._begin_finishing(None)
                self._finishing.result()
        except BaseException as late_error:
            self._give_up(late_error)
            raise
        else:
            if error is not None:
                self._give_up(error)
        finally:
            self._pool.shutdown()

    def _give_up(self, error: BaseException) -> None:
        # The shard that is being finished may still take its name, and the file of progress its place.
        self._pool.shutdown()
        try:
            if self._shard is not None:
                self._shard.drop(error)
        finally:
            if not self.progress.shards:
                # Nothing was achieved: leave nothing behind that a corrected call would have to be told to ignore.
                with suppress(OSError):
                    (self._directory / TOKEN_BYTES_NAME).unlink(missing_ok=True)
                    (self._directory / PROGRESS_NAME).unlink()
                    self._directory.rmdir()


class _OpenShard:
    """A shard under its temporary name."""

    def __init__(self, path: Path, dtype: np.dtype, capacity: int) -> None:
        self.num_tokens = 0
        self._path = path
        self._dtype = dtype
        self._num_bytes = 0
        self._num_separators = 0
        self._stack = ExitStack()
        self._file: BinaryIO = self._stack.enter_context(write_atomically(path))
        self._file.write(npy_header(dtype, capacity))

    def append(self, ids: npt.NDArray[np.unsignedinteger], num_bytes: int, num_separators: int) -> None:
        self._file.write(ids.astype(self._dtype, copy=False).data)
        self.num_tokens += len(ids)
        self._num_bytes += num_bytes
        self._num_separators += num_separators

    def close(self) -> ShardRecord:
        with ThreadPoolExecutor(max_workers=1) as pool:
            with self._stack:
                self._file.seek(0)
                self._file.write(npy_header(self._dtype, self.num_tokens))
                self._file.flush()
                # Hashed now and not while it was written, because the header comes first and says how many ids there
                # are; and at the side, because the disk takes its time.
                content = Path(self._file.name).open("rb")  # noqa: SIM115 - `_sha256` closes it
                sha256 = pool.submit(_sha256, content)
            return ShardRecord(
                num_tokens=self.num_tokens,
                num_bytes=self._num_bytes,
                num_separators=self._num_separators,
                sha256=sha256.result(),
            )

    def drop(self, error: BaseException) -> None:
        self._stack.__exit__(type(error), error, error.__traceback__)


def _sha256(file: BufferedReader) -> str:
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()
