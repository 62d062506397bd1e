"""The file operations of an action, recorded, and every state in which a crash in between may leave the disk.

What POSIX promises after a power cut is little: of the writes to a file since its last fsync any may be missing, the
last of them in part, and of the names made, renamed or removed in a directory since its last fsync likewise. States
that a journal would rule out are among those replayed.
"""

import io
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_MAX_SUBSETS = 4
"""Names of one directory that may be pending for all subsets to be replayed; of more, each number of the first."""


@dataclass(frozen=True)
class Operation:
    """One change under the watched folder; paths are relative to it."""

    kind: str
    """create, write, fsync, rename, unlink, mkdir or fsyncdir."""
    path: str
    target: str = ""
    """Of a rename."""
    offset: int = 0
    content: bytes = b""


@dataclass
class Recording:
    """The operations so far; `fail_at` has the one of that number raise `error` instead."""

    root: Path
    operations: list[Operation] = field(default_factory=list)
    fail_at: int | None = None
    error: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, path: Any, **details: Any) -> None:
        """Record an operation, or raise in its place, if it is under the root and no lock."""
        full = Path(os.fspath(path)) if not isinstance(path, int) else Path(os.readlink(f"/proc/self/fd/{path}"))  # noqa: PTH115
        if not full.is_relative_to(self.root) or full.name == ".lock":
            return
        with self._lock:
            number = len(self.operations)
            name = str(full.relative_to(self.root))
            if "target" in details:
                details["target"] = str(Path(details["target"]).relative_to(self.root))
            self.operations.append(Operation(kind, name, **details))
        if number == self.fail_at:
            raise OSError(self.error, os.strerror(self.error), str(full))


@contextmanager
def record_operations(root: Path) -> Iterator[Recording]:
    """Record what the block does under `root`, which has to use `pathlib`, `open` and `os`, in any of its threads."""
    recording = Recording(root)
    real = {name: getattr(os, name) for name in ("fsync", "replace", "unlink", "mkdir")}
    real_open = io.open

    class Writer(io.BufferedWriter):
        def write(self, content: Any, /) -> int:
            with memoryview(content) as view:
                recording.note("write", self.raw.name, offset=self.tell(), content=bytes(view))
            return super().write(content)

    def open_recorded(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        is_ours = isinstance(file, str | os.PathLike) and Path(file).is_relative_to(root) and Path(file).name != ".lock"
        if not (is_ours and mode.strip("bt") in ("w", "a", "x")):
            return real_open(file, mode, *arguments, **options)
        if not Path(file).exists() or "w" in mode:
            recording.note("create", file)
        raw = Writer(io.FileIO(os.fspath(file), mode.replace("b", "").replace("t", "")))
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding=options.get("encoding"), newline="\n")

    def fsync(descriptor: int) -> None:
        recording.note("fsyncdir" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "fsync", descriptor)  # noqa: PTH112
        # The real disk need not be asked: the recording is what is examined.

    def replace(source: Any, target: Any, **options: Any) -> None:
        recording.note("rename", source, target=os.fspath(target))
        real["replace"](source, target, **options)

    def unlink(path: Any, **options: Any) -> None:
        if Path(path).exists():
            recording.note("unlink", path)
        real["unlink"](path, **options)

    def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
        if not Path(path).exists():
            recording.note("mkdir", path)
        real["mkdir"](path, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", open_recorded)
        patch.setattr("builtins.open", open_recorded)
        for replacement in (fsync, replace, unlink, mkdir):
            patch.setattr(os, replacement.__name__, replacement)
        yield recording


Names = dict[str, int | None]
"""Path to the number of a file, or None for a directory."""


class Disk:
    """What the operations so far have made certain, and what a crash may still undo."""

    def __init__(self) -> None:
        self._files: list[bytearray] = []
        """What is certain of each file's content."""
        self._pending: list[list[Operation]] = []
        """The writes to each file since its last fsync."""
        self._now: Names = {}
        self._certain: Names = {}
        self._changes: list[tuple[str, Callable[[Names], None]]] = []
        """Changes of names since the last fsync of their directory, which comes first."""
        self._seen: set[int] = set()

    def apply(self, operation: Operation) -> None:
        """Take one more operation."""
        path, parent = operation.path, str(Path(operation.path).parent)
        match operation.kind:
            case "create":
                # An existing file is truncated; that this happens at once is the worst case.
                self._files.append(bytearray())
                self._pending.append([])
                self._change(parent, _put(path, len(self._files) - 1))
            case "mkdir":
                self._change(parent, _put(path, None))
            case "write":
                number = self._now[path]
                assert number is not None
                self._pending[number].append(operation)
            case "fsync":
                number = self._now[path]
                assert number is not None
                for write in self._pending[number]:
                    _write(self._files[number], write)
                self._pending[number].clear()
            case "rename":
                self._change(parent, _move(path, operation.target, dict(self._now)))
            case "unlink":
                self._change(parent, _remove(path))
            case "fsyncdir":
                for where, change in self._changes:
                    if where == path:
                        change(self._certain)
                self._changes = [(where, change) for where, change in self._changes if where != path]

    def _change(self, parent: str, change: Callable[[Names], None]) -> None:
        change(self._now)
        self._changes.append((parent, change))

    def crash_states(self) -> Iterator[dict[str, bytes | None]]:
        """Yield what a crash may leave, but for what was yielded before: the bytes by path, None for a directory."""
        pending = range(len(self._changes))
        if len(pending) <= _MAX_SUBSETS:
            subsets = [set(kept) for size in range(len(pending) + 1) for kept in itertools.combinations(pending, size)]
        else:
            subsets = [set(range(size)) for size in range(len(pending) + 1)]
        for kept in subsets:
            names = dict(self._certain)
            for index in sorted(kept):
                self._changes[index][1](names)
            most = max((len(self._pending[number]) for number in names.values() if number is not None), default=0)
            # Fewer writes were the state of an earlier moment, but for the names.
            for length, is_torn in sorted({(0, False), (most // 2, False), (most, False), (most, most > 0)}):
                state = {
                    path: None if number is None else self._content(number, length, is_torn)
                    for path, number in names.items()
                    if _has_parents(path, names)
                }
                key = hash(tuple(sorted((path, content or b"") for path, content in state.items())))
                if key not in self._seen:
                    self._seen.add(key)
                    yield state

    def _content(self, number: int, length: int, is_torn: bool) -> bytes:
        """A file with the first `length` of its pending writes, of which the last may be torn in the middle."""
        content, writes = bytearray(self._files[number]), self._pending[number][:length]
        for index, write in enumerate(writes):
            _write(content, write, half=is_torn and index == len(writes) - 1)
        return bytes(content)


def _write(content: bytearray, write: Operation, *, half: bool = False) -> None:
    written = write.content[: len(write.content) // 2] if half else write.content
    if len(content) < write.offset:
        content.extend(b"\0" * (write.offset - len(content)))
    content[write.offset : write.offset + len(written)] = written


def _has_parents(path: str, names: Names) -> bool:
    return all(str(parent) in names for parent in Path(path).parents if str(parent) != ".")


def _put(path: str, number: int | None) -> Callable[[Names], None]:
    def change(names: Names) -> None:
        names[path] = number

    return change


def _remove(path: str) -> Callable[[Names], None]:
    def change(names: Names) -> None:
        names.pop(path, None)

    return change


def _move(path: str, target: str, before: Names) -> Callable[[Names], None]:
    """Move a file, or a directory with all that is in it, as it was when it was moved."""
    moved = {name: number for name, number in before.items() if name == path or name.startswith(f"{path}/")}

    def change(names: Names) -> None:
        for name, number in moved.items():
            names.pop(name, None)
            names[target + name.removeprefix(path)] = number

    return change


def write_state(state: dict[str, bytes | None], root: Path) -> None:
    """Make the files of a crash state under `root`, which is new."""
    root.mkdir(parents=True)
    for path, content in sorted(state.items()):
        if content is None:
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
