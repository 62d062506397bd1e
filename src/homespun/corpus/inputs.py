"""The input files of a corpus: local or behind URLs, named one by one or by patterns."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from homespun.corpus.remote import ByteStream, glob_url, open_url, stat_url
from homespun.errors import ConfigError, DataError, HomespunError, MissingFileError
from homespun.files import check_is_file

Kind = Literal["text", "json lines", "parquet"]

# Each ending with the one that `InputFile.compression` gives for it.
_COMPRESSED = {".gz": ".gz", ".gzip": ".gz", ".zst": ".zst", ".zstd": ".zst"}
# .json too: Dolma and C4 name their JSON lines so. Other JSON is refused at its first line.
_JSON_LINES = (".jsonl", ".jsonlines", ".ndjson", ".json")
_KINDS: dict[str, Kind] = {**dict.fromkeys(_JSON_LINES, "json lines"), ".parquet": "parquet"}
_UNREADABLE = (".arrow", ".csv", ".tsv", ".xz", ".bz2", ".lz4", ".7z", ".zip", ".tar", ".tgz")


@dataclass(frozen=True, kw_only=True)
class InputState:
    """Identifies the version of a file without reading it."""

    num_bytes: int
    """Its size as stored, compressed or not."""
    modified: str
    """Time of a local file's last change in nanoseconds; of a URL the store's ETag or date, "" where it has neither."""


@dataclass(frozen=True)
class InputFile:
    """One file of a corpus; everything that opens or stats an input does it here."""

    location: str
    """A path, or a URL for fsspec: recognized by its `://`."""

    def __str__(self) -> str:
        return self.location

    @property
    def path(self) -> Path | None:
        """Its path on this machine; None for a URL."""
        return None if "://" in self.location else Path(self.location)

    @property
    def plain_path(self) -> Path | None:
        """`path` if its bytes are the text itself, so that the Rust core can read them; otherwise None."""
        return self.path if self.kind == "text" and not self.compression else None

    @property
    def compression(self) -> str:
        """How its name says that it is compressed: ".gz", ".zst" or ""."""
        return _COMPRESSED.get(self._name.suffix.lower(), "")

    @property
    def kind(self) -> Kind:
        """What it holds, according to its name.

        Raises:
            DataError: something that cannot be read.
        """
        name = self._name.with_suffix("") if self.compression else self._name
        ending = name.suffix.lower()
        if ending in _UNREADABLE or (ending == ".parquet" and self.compression):
            raise DataError(
                f"{self}: {''.join(self._name.suffixes[-2:])} files cannot be read; "
                "expected plain text or .jsonl, either one also as .gz or .zst, or .parquet"
            )
        return _KINDS.get(ending, "text")

    def absolute(self) -> "InputFile":
        """The same file for a process with another working directory."""
        return self if self.path is None else InputFile(str(self.path.absolute()))

    def state(self) -> InputState:
        """Return its present size and version.

        Raises:
            MissingFileError: there is no such file.
            DataError: it is a directory, a pipe or a device.
            DownloadError: it is behind a URL that cannot be read.
            MissingPackageError: a URL needs a package that is not installed.
        """
        if self.path is None:
            num_bytes, modified = stat_url(self.location)
            return InputState(num_bytes=num_bytes, modified=modified)
        _check_path(self.path)
        stat = self.path.stat()
        return InputState(num_bytes=stat.st_size, modified=str(stat.st_mtime_ns))

    @contextmanager
    def open(self) -> Iterator[ByteStream]:
        """Open it for reading its bytes as stored; errors inside the block are reported as errors of reading it.

        Raises:
            HomespunError: as `state`, and DataError where it cannot be read.
        """
        if self.path is None:
            with open_url(self.location) as file:
                yield file
            return
        _check_path(self.path)
        try:
            with self.path.open("rb") as file:
                yield file
        except HomespunError:
            raise
        except OSError as error:
            raise DataError(f"{self}: cannot be read: {error.strerror or error}") from error

    @property
    def _name(self) -> PurePosixPath:
        if self.path is not None:
            return PurePosixPath(self.path.name)
        # Of chained URLs (simplecache::s3://...) the first that names a file; a query does not belong to the name.
        url = next(link for link in self.location.split("::") if "://" in link)
        return PurePosixPath(urlsplit(url).path if _is_http(url) else url)


Inputs = str | PathLike[str] | InputFile | Sequence[str | PathLike[str] | InputFile]
"""The files of a corpus, as `expand_inputs` takes them."""


def expand_inputs(inputs: Inputs) -> list[InputFile]:
    """Return the named files, each once, in the order in which they are named first.

    A name is a path, a URL for fsspec, or a pattern of either with `*`, `?`, `[...]` and `**`; the matches of a pattern
    are sorted and exclude hidden files. A path that exists is not a pattern, whatever is in its name. Two paths to one
    file (through a link or `..`) are one file.

    Raises:
        ConfigError: nothing is named.
        MissingFileError: a path does not exist, or nothing matches a pattern.
        DataError: a directory or a pipe is named, or a file that cannot be read.
        DownloadError: a store cannot be asked for what matches.
        MissingPackageError: a URL needs a package that is not installed.
    """
    named = [inputs] if isinstance(inputs, str | PathLike | InputFile) else list(inputs)
    if not named:
        raise ConfigError("there are no input files; name at least one")
    files: dict[object, InputFile] = {}
    for name in named:
        for file in [name] if isinstance(name, InputFile) else _find(os.fspath(name)):
            _ = file.kind  # refuses what cannot be read, before anything is
            files.setdefault(_identity(file), file)
    return list(files.values())


def _identity(file: InputFile) -> object:
    """Equal for two names of one file."""
    if file.path is None:
        return file.location
    if not file.path.exists():
        return str(file.path.absolute())
    stat = file.path.stat()
    # Some file systems have no inode numbers, and say 0.
    return (stat.st_dev, stat.st_ino) if stat.st_ino else str(file.path.resolve())


def as_input(file: str | PathLike[str] | InputFile) -> InputFile:
    """The file at a path or URL, which need not exist."""
    return file if isinstance(file, InputFile) else InputFile(os.fspath(file))


def _find(name: str) -> list[InputFile]:
    if name.startswith("file://"):
        # Imported here: it imports an HTTP client.
        from urllib.request import url2pathname

        name = url2pathname(urlsplit(name).path)
    if "://" in name:
        # What follows a ? is a query over HTTP.
        is_pattern = "*" in name if _is_http(name) else _is_pattern(name)
        locations = glob_url(name) if is_pattern else [name]
    elif _is_pattern(name) and not Path(name).exists():
        locations = sorted(found for found in glob(name, recursive=True) if Path(found).is_file())  # noqa: PTH207
    else:
        _check_path(Path(name))
        locations = [name]
    if not locations:
        raise MissingFileError(f"{name}: no file matches; check the pattern, and quote it for the shell")
    return [InputFile(location) for location in locations]


def _is_pattern(name: str) -> bool:
    return re.search(r"[*?[]", name) is not None


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _check_path(path: Path) -> None:
    check_is_file(path, "a text file", "check the path; a directory's files are named by a pattern such as DIR/*.txt")
    if not path.is_file():
        # A pipe's bytes come once: to look at it is to lose them, and opening a FIFO waits for a writer for ever.
        raise DataError(
            f"{path} is a pipe or a device, but inputs are read more than once; "
            "write its content to a file and name that"
        )
