"""Blocks of ids in, shards of equal length out."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from homespun.data.blocks import Block
from homespun.data.manifest import PROGRESS_NAME, TOKEN_BYTES_NAME, Cursor, Progress, shard_path, write_part
from homespun.data.shard_file import ShardFile
from homespun.data.shards import write_array


class ShardWriter:
    """Writes the ids that follow those of finished shards; each shard takes its name once it is whole.

    A full shard is made to last on another thread while the next is written. Leaving the `with` block well
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
        self._shard: ShardFile | None = None
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._finishing: Future[None] = self._pool.submit(begin, directory, progress, token_bytes)

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
                self._shard = ShardFile(path, origin.dtype)
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

    def _finish(self, shard: ShardFile, cursor: Cursor | None) -> None:
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
                undo_begin(self._directory)


def begin(directory: Path, progress: Progress, token_bytes: npt.NDArray[np.uint32]) -> None:
    """Note what is being made before there is a shard of it, and write what needs none.

    Raises:
        StorageError: the disk is full, or refuses to be written to.
    """
    write_part(directory, progress)
    write_array(directory / TOKEN_BYTES_NAME, token_bytes)


def undo_begin(directory: Path) -> None:
    """Where nothing was achieved, leave nothing behind that a corrected call would have to be told to ignore."""
    with suppress(OSError):
        (directory / TOKEN_BYTES_NAME).unlink(missing_ok=True)
        (directory / PROGRESS_NAME).unlink()
