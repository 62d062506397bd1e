"""Exclusive directory locks, released by the operating system when the process exits."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from homespun.errors import BusyError
from homespun.files import make_directory, storage_errors

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK_NAME = ".lock"

_HELD_BY_ANOTHER = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}
_NO_LOCKS_THERE = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def hold_lock(directory: Path, *, unless: Path | None = None) -> Iterator[None]:
    """Lock `directory` (created if missing) against other processes for the duration of the block.

    The lock is on a file in it, `LOCK_NAME`, and ends with the process, killed or not. The end of the block removes the
    file, the directory if nothing else is in it, and then parents that were created for it. On file systems without
    locks, as on some networks, nothing is locked.

    Why not a library: filelock leaves its file, but a finished data set must have the same files wherever and however
    often it was made.

    Args:
        directory: Where the work is done.
        unless: A file whose existence says that the work is finished: nothing is locked then, because a result may be
            on a read-only file system.

    Raises:
        BusyError: another process has locked it.
        StorageError: it cannot be made, or not be written to.
    """
    if unless is not None and unless.exists() and not (directory / LOCK_NAME).exists():
        yield
        return
    with storage_errors(directory):
        missing = [folder for folder in directory.parents if not folder.exists()]
        descriptor = _acquire(directory)
    try:
        yield
    finally:
        _release(directory / LOCK_NAME, descriptor)
        with suppress(OSError):
            for folder in (directory, *missing):
                folder.rmdir()


def _acquire(directory: Path) -> int:
    path = directory / LOCK_NAME
    while True:
        make_directory(directory)
        try:
            # Not through a link: the file that is locked, and then removed, would be somebody else's.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except FileNotFoundError:
            continue  # The last process to lock it has just removed the directory.
        with ExitStack() as closing:
            closing.callback(os.close, descriptor)
            if not _try_to_lock(descriptor):
                raise BusyError(
                    f"{directory}: is being written by another process; wait until that has ended, or end it, "
                    "then run the same command again"
                )
            # The last process to lock it may just have removed the file: then the locked file has no name.
            if _is_at(path, descriptor):
                closing.pop_all()
                return descriptor


def _try_to_lock(descriptor: int) -> bool:
    """Whether no other process has the file locked; where there are no locks, none has."""
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in _HELD_BY_ANOTHER:
            return False
        if error.errno not in _NO_LOCKS_THERE:
            raise
    return True


def _release(path: Path, descriptor: int) -> None:
    # As long as it is locked nobody else's file can be in its place; but Windows removes no file that is open.
    if sys.platform != "win32" and _is_at(path, descriptor):
        with suppress(OSError):
            path.unlink()
    os.close(descriptor)
    if sys.platform == "win32":
        with suppress(OSError):
            path.unlink()


def _is_at(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
