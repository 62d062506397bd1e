"""The files of a tokenizer directory appear together, whatever stops the process that saves them."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from homespun.errors import MissingFileError, StorageError
from homespun.tokenizer import Tokenizer, train_bpe_from_counts
from refusals import refuses

END = "<|endoftext|>"
FILES = ["merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json"]


def make(special_tokens, pattern="gpt2"):
    counts = {b" the": 9, b"cat": 4, b"\n\n": 2}
    vocab, merges = train_bpe_from_counts(counts, 260 + len(special_tokens), list(special_tokens))
    return Tokenizer(vocab, merges, list(special_tokens), pattern=pattern)


class Killed(BaseException):
    """Stands for a signal that ends the process."""


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("operation", ["replace", "fsync", "unlink"])
def test_a_directory_is_whole_or_no_tokenizer(operation, existing, tmp_path, monkeypatch):
    """Oracle: the old or the new tokenizer or a refusal, whichever file operation is the last; then a save succeeds."""
    old, new = make([END]), make([END, "<pad>"], pattern=r"\w+")
    for last in range(12):
        directory = tmp_path / f"{last}"
        if existing:
            old.save(directory)
        calls = 0

        def fail(*args, real, last=last, **options):
            nonlocal calls
            calls += 1
            if calls > last:
                raise Killed
            return real(*args, **options)

        with monkeypatch.context() as patched:
            target = os if operation == "fsync" else Path
            patched.setattr(target, operation, partialmethod_of(fail, getattr(target, operation)))
            with suppress(Killed):
                new.save(directory)
        try:
            assert Tokenizer.load(directory) in (old, new)
        except MissingFileError:
            assert not (directory / "tokenizer.json").exists()
        new.save(directory)
        assert Tokenizer.load(directory) == new
        assert sorted(path.name for path in directory.iterdir()) == sorted(FILES)


def partialmethod_of(fail, real):
    return lambda *args, **options: fail(*args, real=real, **options)


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    """Oracle: no file where the third cannot be written."""
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refuses(StorageError, tmp_path / "tokenizer", "the disk is full"):
        make([END]).save(tmp_path / "tokenizer")
    assert list((tmp_path / "tokenizer").iterdir()) == []
