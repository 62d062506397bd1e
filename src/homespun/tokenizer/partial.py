"""What keeps a count from beginning anew: the directory `OUT.partial`, with runs of counts and how far they reach."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from homespun.corpus.source import Source
from homespun.errors import DataError
from homespun.files import storage_errors, write_text_atomically
from homespun.locks import LOCK_NAME
from homespun.tokenizer.counting import Cursor
from homespun.tokenizer.counts_file import CountsHeader, check_header
from homespun.typed_json import read_json

PROGRESS_NAME = "progress.json"
VERSION = 1

Run = tuple[str, int]
"""The name of a file of counts, and how often what is in it was merged."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an earlier call came."""

    version: int
    header: CountsHeader
    """Of the file that is being made."""
    modified: list[str]
    """`InputState.modified` of each input."""
    cursor: Cursor
    runs: list[Run]
    """What holds everything before the cursor."""


class Partial:
    """The directory of a file of counts that is being made."""

    def __init__(self, directory: Path, header: CountsHeader, source: Source) -> None:
        """Name it; nothing is made or read yet.

        Args:
            directory: Where it is, or will be.
            header: Of the file that is being made.
            source: What is counted.
        """
        self.directory = directory
        self.finished_path = directory / "finished.counts"
        """Where the file is written, before it is moved to its place."""
        self._header = header
        self._modified = [state.modified for state in source.states]
        self._path = directory / PROGRESS_NAME

    def read(self) -> Progress:
        """How far an earlier call came.

        Raises:
            DataError: it counted something else, an input was written to since, or what it left is damaged.
        """
        if not self._path.exists():
            return self._progress(Cursor(), [])
        try:
            progress = read_json(self._path, Progress, version=VERSION)
        except ValueError as error:
            raise DataError(f"{error}; {self._remedy}") from error
        for name, _ in progress.runs:
            if Path(name).name != name:
                raise DataError(f"{self._path}: runs: {name!r:.100} is no name of a file; {self._remedy}")
        check_header(self.directory, progress.header, self._header)
        if progress.modified != self._modified:
            raise DataError(f"{self.directory}: an input was written to after counting had begun; {self._remedy}")
        return progress

    def write(self, cursor: Cursor, runs: list[Run]) -> None:
        """Note that `runs` hold everything before `cursor`.

        Raises:
            StorageError: the disk is full or refuses to be written to.
        """
        write_text_atomically(self._path, json.dumps(asdict(self._progress(cursor, runs)), indent=1) + "\n")

    def _progress(self, cursor: Cursor, runs: list[Run]) -> Progress:
        return Progress(version=VERSION, header=self._header, modified=self._modified, cursor=cursor, runs=runs)

    @contextmanager
    def removed_if_empty(self) -> Iterator[None]:
        """Leave nothing behind if the block fails before anything was kept."""
        try:
            yield
        except BaseException:
            if not self._path.exists():
                self.remove()
            raise

    def remove(self) -> None:
        """Remove the directory, if it is there, but for a lock: that goes with its holder.

        Raises:
            StorageError: it cannot be removed.
        """
        if not self.directory.exists():
            return
        with storage_errors(self.directory):
            for entry in self.directory.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name != LOCK_NAME:
                    entry.unlink()
        with suppress(OSError):
            self.directory.rmdir()

    @property
    def _remedy(self) -> str:
        return f"delete {self.directory} to begin anew"
