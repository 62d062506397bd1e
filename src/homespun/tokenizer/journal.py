"""The journal of a training: the merges made so far, in a file that outlives the process.

A line is appended for every merge and checked by a sum over everything before it; what an interruption left
half-written at the end is cut off. `docs/design/formats.md` has the format to the byte.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from homespun import _native
from homespun.errors import DataError
from homespun.files import storage_errors, write_atomically
from homespun.typed_json import parse_json

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class JournalOrigin:
    """What decides which merges are made; two trainings that agree in it make the same ones."""

    counts_sha256: str
    """Of the counts: see `fingerprint_of_counts`."""

    special_tokens: list[str]
    """In their order."""

    ties: str
    """The rule for pairs equally frequent."""

    extends: str | None
    """The fingerprint of the tokenizer that is being extended."""


class Journal:
    """The merges of one training, read from its file, and a way to append more; a context manager."""

    def __init__(self, path: Path, origin: JournalOrigin) -> None:
        """Open the journal at `path`, or begin one.

        Raises:
            DataError: the file is no journal, or that of another training.
            StorageError: it cannot be written.
        """
        self.path = path
        self.merges: list[tuple[bytes, bytes]] = []
        header = _header_of(origin)
        with storage_errors(path):
            if not path.exists():
                with write_atomically(path) as file:
                    file.write(header)
            # Unbuffered: what is written is with the operating system, whatever becomes of this process.
            self._file: BinaryIO = path.open("r+b", buffering=0)
        try:
            self._read(header, origin)
        except BaseException:
            self._file.close()
            raise

    def append(self, merges: Sequence[tuple[bytes, bytes]]) -> None:
        """Record `merges`, which follow those recorded, and wait until they are on the disk.

        Raises:
            StorageError: the disk is full or refuses; what was recorded before stays.
        """
        lines: list[bytes] = []
        for left, right in merges:
            record = f"{left.hex()} {right.hex()} ".encode()
            self._sum = zlib.crc32(record, self._sum)
            lines.append(b"%b%08x\n" % (record, self._sum))
        with storage_errors(self.path):
            rest = memoryview(b"".join(lines))
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        self.merges += merges

    def _read(self, header: bytes, origin: JournalOrigin) -> None:
        """Take the merges up to the first line that is not as it was written, and cut off the rest."""
        with self.path.open("rb") as file:
            found = file.readline()
            if found != header:
                raise _other_origin(self.path, found, origin)
            self._sum = zlib.crc32(header)
            end = len(header)
            for line in file:
                merge = self._parse(line)
                if merge is None:
                    break
                self.merges.append(merge)
                end += len(line)
        with storage_errors(self.path):
            self._file.truncate(end)
            self._file.seek(end)

    def _parse(self, line: bytes) -> tuple[bytes, bytes] | None:
        record, stated = line[:-9], line[-9:]
        sum_ = zlib.crc32(record, self._sum)
        if stated != b"%08x\n" % sum_:
            return None
        self._sum = sum_
        try:
            left, right = record.split()
            return bytes.fromhex(left.decode()), bytes.fromhex(right.decode())
        except ValueError as error:
            raise DataError(
                f"{self.path}: {record!r:.100} is no merge, though its sum is right; this is not homespun's writing; "
                "remove the file to begin anew"
            ) from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def fingerprint_of_counts(counts: _native.PretokenCounts) -> str:
    """The sha256 over all pre-tokens in ascending order, each as its length, its bytes and its count.

    Length and count are unsigned, of 64 bits, little-endian.
    """
    digest = hashlib.sha256()
    _native.feed_counts(counts, digest.update)
    return digest.hexdigest()


def _header_of(origin: JournalOrigin) -> bytes:
    values = {"format": "homespun.merges", "version": VERSION} | asdict(origin)
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _other_origin(path: Path, header: bytes, origin: JournalOrigin) -> DataError:
    """Why a journal that begins with `header` is not that of `origin`."""
    remedy = "name another file, or remove this one to begin anew"
    try:
        values = parse_json(header)
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.get("format") != "homespun.merges":
        return DataError(f"{path}: expected a journal of merges, or no file; {remedy}")
    if values.get("version") != VERSION:
        return DataError(f"{path}: a journal of version {values.get('version')!r}, expected {VERSION}; {remedy}")
    named = {
        "counts_sha256": "other counts, as of another text or pattern (sha256 {})",
        "special_tokens": "other special tokens, {}",
        "ties": "another rule for ties, {}",
        "extends": "another tokenizer to extend ({})",
    }
    given = asdict(origin)
    differing = [what.format(values.get(key)) for key, what in named.items() if values.get(key) != given[key]]
    what = "; and ".join(differing) or "another spelling of its first line"
    return DataError(f"{path}: the journal of a training with {what}; {remedy}")
