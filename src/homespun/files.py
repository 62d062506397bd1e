"""Writing files so that a reader sees the whole file or none of it, and reading with errors that say what to do."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from homespun.errors import DataError, HomespunError, MissingFileError, StorageError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_TEMPORARY_BYTES = 6


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals inside the block into `StorageError`s about `path`.

    Raises:
        StorageError: the disk is full or quota exceeded, or writing is not permitted.
    """
    try:
        yield
    except HomespunError:
        raise
    except OSError as error:
        if error.errno in _DISK_FULL:
            remedy = "the disk is full; free some space or choose another directory, then run the same command again"
        else:
            remedy = f"{error.strerror or error}; check that the directory exists and may be written to"
        raise StorageError(f"{path}: cannot write: {remedy}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path at which to make a file or a directory; it is renamed to `path` once the block has succeeded.

    Until then it has a temporary name in the same directory, and it is removed if the block raises. A power cut leaves
    the old file or the new one, never half a file. A directory's files appear together, or not at all; it replaces
    nothing but an empty directory.

    Raises:
        StorageError: the disk is full or refuses to be written to.
    """
    # Random, not the process id: on a file system that machines share, another process may have the same.
    temporary = path.with_name(f".{path.name}.{os.urandom(_TEMPORARY_BYTES).hex()}.tmp")
    with storage_errors(path):
        try:
            yield temporary
            rename_durably(temporary, path)
        except BaseException:
            with suppress(OSError):
                _remove(temporary)
            raise


def remove_temporaries(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files and directories that `atomic_path` of a killed process left in `folder`.

    Call it under a lock that every writer there takes: the files of a running writer look the same.

    Args:
        folder: Nothing happens where it does not exist.
        name: Only those of this final name; None: all.
    """
    for path in folder.glob(".*.tmp"):
        found = re.fullmatch(rf"\.(.+)\.[0-9a-f]{{{2 * _TEMPORARY_BYTES}}}\.tmp", path.name)
        if found and name in (None, found[1]):
            with storage_errors(path):
                _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def rename_durably(source: Path, target: Path) -> None:
    """Rename a file or directory to `target` once the disk has its content, so that a power cut cannot lose it."""
    if source.is_dir():
        sync_directory(source)
    else:
        sync_file(source)
    source.replace(target)
    sync_directory(target.parent)


def sync_file(path: Path) -> None:
    """Make what was written to a file survive a power cut."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is renamed to `path` once the block has succeeded: see `atomic_path`.

    Raises:
        StorageError: the disk is full or refuses to be written to.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with `write_atomically`."""
    with write_atomically(path) as file:
        file.write(text.encode())


def make_directory(path: Path) -> None:
    """Create `path` and its parents if absent.

    Raises:
        StorageError: the directory cannot be made, for example because a file has its name.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Make a rename inside `directory` survive a power cut; a no-op where directories cannot be opened (Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_is_file(path: Path, what: str, remedy: str) -> None:
    """Refuse a `path` that is not a readable regular file.

    Args:
        path: The file that was named.
        what: What it should be, such as "a corpus".
        remedy: What to do, a full clause without the final dot.

    Raises:
        MissingFileError: nothing has that name.
        DataError: a directory has.
    """
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # A name that is too long, or with a NUL.
        raise DataError(f"{str(path)[:80]!r}: not a file name ({error}); expected {what}; {remedy}") from error
    if not exists:
        raise MissingFileError(f"{path}: no such file; expected {what}; {remedy}")
    if path.is_dir():
        raise DataError(f"{path} is a directory; expected {what}; {remedy}")


def sha256_of_file(path: Path) -> str:
    """The sha256 of a file's bytes as 64 hexadecimal digits, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
