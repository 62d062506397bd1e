"""Kill an action before each of its file operations in turn, and repeat it on what is left."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_OPERATIONS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Killed(BaseException):
    """Stands for a kill: from the first one on, no file operation happens, so nothing is cleaned up."""


class _Switch:
    def __init__(self) -> None:
        self.root = ""
        self.remaining = -1

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.root or event not in _OPERATIONS:
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(self.root):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITE_FLAGS):
            return
        if self.remaining == 0:
            raise Killed
        self.remaining -= 1


# Audit hooks see every file operation of the interpreter, may refuse it, and cannot be removed: one for all tests.
_SWITCH = _Switch()
sys.addaudithook(_SWITCH)


def each_kill(root: Path, action: Callable[[], object]) -> Iterator[int]:
    """Yield after each kill of `action` under `root`, until it completes; the caller restores `root` in between."""
    for point in range(10_000):
        before = _open_files()
        _SWITCH.root, _SWITCH.remaining = str(root), point
        try:
            action()
            return
        except Killed:
            pass
        finally:
            _SWITCH.root = ""
            # The system closes a killed process's files, and thereby releases its locks.
            for descriptor, path in _open_files().items():
                if descriptor not in before and path.startswith(str(root)):
                    os.close(descriptor)
        yield point


def _open_files() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
    return found
