"""What keeps a count from beginning anew: the directory `OUT.partial`, with runs of counts and how far they reach."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from homespun.corpus.source import Source
from homespun.errors import DataError
from homespun.files import parse_json, storage_errors, write_text_atomically
from homespun.locks import LOCK_NAME
from homespun.tokenizer.counting import Cursor
from homespun.tokenizer.counts_file import CountsHeader, check_header, parse_header

PROGRESS_NAME = "progress.json"
VERSION = 1

Run = tuple[str, int]
"""The name of a file of counts, and how often what is in it was merged."""


@dataclass(frozen=True)
class Progress:
    """How far an earlier call came."""

    cursor: Cursor = field(default_factory=Cursor)
    runs: list[Run] = field(default_factory=list)


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
            return Progress()
        try:
            values = parse_json(self._path.read_bytes())
            version, modified = values["version"], values["modified"]
            header = parse_header(values["header"])
            cursor = Cursor(**values["cursor"])
            runs = [(name, level) for name, level in values["runs"]]
            numbers = [*asdict(cursor).values(), *(level for _, level in runs)]
            if not all(type(number) is int and number >= 0 for number in numbers):
                raise ValueError("a number in it is none")
            if not all(isinstance(name, str) and Path(name).name == name for name, _ in runs):
                raise ValueError("a run in it has no name of a file")
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._path}: damaged ({error!r}); {self._remedy}") from error
        if version != VERSION:
            raise DataError(f"{self._path}: version {version!r}, expected {VERSION}; {self._remedy}")
        check_header(self.directory, header, self._header)
        if modified != self._modified:
            raise DataError(f"{self.directory}: an input was written to after counting had begun; {self._remedy}")
        return Progress(cursor, runs)

    def write(self, cursor: Cursor, runs: list[Run]) -> None:
        """Note that `runs` hold everything before `cursor`.

        Raises:
            StorageError: the disk is full or refuses to be written to.
        """
        values = {
            "version": VERSION,
            "header": asdict(self._header),
            "modified": self._modified,
            "cursor": asdict(cursor),
            "runs": runs,
        }
        write_text_atomically(self._path, json.dumps(values, indent=1) + "\n")

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
