"""Holding a directory against another process, which is a real one."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homespun import locks
from homespun.errors import BusyError, StorageError
from homespun.locks import LOCK_NAME, hold_lock

HOLD = """
import sys
from pathlib import Path
from homespun.locks import hold_lock

with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds `directory` until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(directory)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_what_another_process_holds_is_refused_until_it_ends(tmp_path):
    directory = tmp_path / "work"
    with other_holder(directory) as process:
        with (
            pytest.raises(BusyError, match=r"work: is being written by another process; wait until"),
            hold_lock(directory),
        ):
            raise AssertionError
        assert (directory / LOCK_NAME).exists()
    assert process.returncode == 0
    assert not directory.exists()
    with hold_lock(directory):
        pass


def test_what_a_killed_process_held_is_free(tmp_path):
    with other_holder(tmp_path) as process:
        process.kill()
    assert (tmp_path / LOCK_NAME).exists()
    with hold_lock(tmp_path):
        pass
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_child_does_not_inherit_it(tmp_path):
    """A program that was started meanwhile would otherwise hold the directory as long as it runs."""
    with hold_lock(tmp_path / "work"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    with child, hold_lock(tmp_path / "work"):
        child.kill()


def test_the_directory_goes_if_nothing_is_in_it(tmp_path):
    """Oracle: the directory's listing. So do parents that were not there before."""
    (tmp_path / "before").mkdir()
    with hold_lock(tmp_path / "before" / "deep" / "empty"):
        assert (tmp_path / "before" / "deep" / "empty" / LOCK_NAME).exists()
    assert list(tmp_path.rglob("*")) == [tmp_path / "before"]
    with hold_lock(tmp_path / "full"):
        (tmp_path / "full" / "result").touch()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["result"]


def test_a_lock_on_a_removed_file_is_none(tmp_path, monkeypatch):
    """Between opening the file and locking it, its holder ends and another begins: only one of the two may hold it."""
    path, opened = tmp_path / LOCK_NAME, []
    lock = locks._lock

    def replace_and_lock(descriptor):
        if not opened:
            path.unlink()
            path.touch()
        opened.append(os.fstat(descriptor).st_ino)
        lock(descriptor)

    monkeypatch.setattr(locks, "_lock", replace_and_lock)
    with hold_lock(tmp_path):
        assert path.stat().st_ino == opened[-1]
    assert len(opened) == 2


def test_a_directory_removed_meanwhile_is_made_again(tmp_path, monkeypatch):
    """Between making the directory and opening the file, its last holder removes both."""
    directory, opened = tmp_path / "work", []
    open_ = os.open

    def remove_and_open(path, *settings):
        if not opened and Path(path).name == LOCK_NAME:
            directory.rmdir()
        opened.append(path)
        return open_(path, *settings)

    monkeypatch.setattr(os, "open", remove_and_open)
    with hold_lock(directory):
        assert (directory / LOCK_NAME).exists()


def test_another_holder_s_file_is_left(tmp_path):
    """The directory was deleted and made again while it was held: the file in it is the next holder's."""
    directory = tmp_path / "work"
    with hold_lock(directory):
        (directory / LOCK_NAME).unlink()
        directory.rmdir()
        holder = other_holder(directory)
        process = holder.__enter__()
    assert (directory / LOCK_NAME).exists()
    process.kill()
    holder.__exit__(None, None, None)


def test_where_there_are_no_locks_nothing_is_held(tmp_path, monkeypatch):
    """As on Lustre without them."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold_lock(tmp_path / "work"), hold_lock(tmp_path / "work"):
        pass
    assert not (tmp_path / "work").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file: cannot write"), hold_lock(tmp_path / "file"):
        pass


def test_a_finished_result_is_held_only_where_a_lock_is_left(tmp_path):
    result, directory = tmp_path / "result", tmp_path / "work"
    with hold_lock(directory, unless=result):
        result.touch()
        assert directory.exists()
    with hold_lock(directory, unless=result):
        assert not directory.exists()
    directory.mkdir()
    (directory / LOCK_NAME).touch()
    with hold_lock(directory, unless=result):
        pass
    assert not directory.exists()
