"""Checkpoints written in the background: training copies what is to be saved, and a thread writes it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from homespun.checkpoint.checkpoint import CheckpointContent


class CheckpointWriter:
    """Writes one checkpoint at a time, in the order in which they are begun.

    The memory of one copy is kept and used again. A checkpoint is on disk once `take_written` has returned its path.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoints")
        self._writing: Future[Path] | None = None
        self._copy: CheckpointContent | None = None
        self._written: list[Path] = []

    def begin(self, content: CheckpointContent, path: Path, before: Callable[[], None] = lambda: None) -> None:
        """Copy `content`, and begin to write it to `path`; waits for the checkpoint before it.

        Args:
            content: May change once this returns.
            path: Replaced atomically.
            before: Called in the thread before the file appears.

        Raises:
            StorageError: the disk refused the checkpoint before this one.
        """
        self._collect(wait=True)
        self._copy = content.copy(self._copy)
        self._writing = self._thread.submit(self._write, self._copy, path, before)

    def take_written(self, *, wait: bool) -> list[Path]:
        """Return the checkpoints that have been written since the last call; with `wait`, none is left afterwards.

        Raises:
            StorageError: the disk refused one; those before it are there.
        """
        self._collect(wait=wait)
        written, self._written = self._written, []
        return written

    def close(self) -> None:
        """Wait for the checkpoint that is being written, whatever comes of it, and end the thread."""
        self._thread.shutdown()

    def _collect(self, *, wait: bool) -> None:
        if self._writing is not None and (wait or self._writing.done()):
            writing, self._writing = self._writing, None
            self._written.append(writing.result())

    @staticmethod
    def _write(content: CheckpointContent, path: Path, before: Callable[[], None]) -> Path:
        before()
        content.write(path)
        return path
