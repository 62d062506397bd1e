"""Downloads that can be cut off at any byte and taken up again, and that end in the promised bytes or in an error.

While it lasts, a download of `text.txt` lies in `text.txt.part`, with what the server said of the file in
`text.txt.part.json`; only when size and hash are right does it take its name. A hash that nobody stated beforehand is
recorded in `text.txt.sha256`, in the format of `sha256sum --check`, and holds from then on.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from homespun.corpus.catalogue import HUB_URL, NamedText
from homespun.corpus.transfer import PartFile, TransferInterrupted, transfer
from homespun.errors import DownloadError
from homespun.files import (
    check_is_file,
    make_directory,
    sha256_of_file,
    storage_errors,
    sync_directory,
    write_text_atomically,
)
from homespun.progress import ProgressCallback, ignore_progress

# What an attempt must add for the next one to count as the first again; a large file may take many connections.
_WORTHWHILE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file that is there, whole, and has the hash it should have."""

    path: Path
    num_bytes: int
    sha256: str
    was_present: bool
    """Whether it had been there before, so that nothing was fetched."""
    record: Path | None
    """The file in which its hash was written down just now, because nobody had stated it; None where it was known."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How much trouble a download puts up with."""

    attempts: int = 6
    """Tries in a row that bring nothing before it gives up."""
    stall_seconds: float = 30.0
    """Silence after which a connection counts as dead."""
    backoff_seconds: float = 1.0
    """Pause before the second try; it doubles with each one after."""
    sleep: Callable[[float], None] = time.sleep


def download_text(
    text: NamedText,
    path: Path,
    *,
    base_url: str = HUB_URL,
    patience: Patience | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> Download:
    """Download one of the catalogue's texts to `path`; see `download`."""
    return download(
        text.url(base_url),
        path,
        num_bytes=text.num_bytes,
        sha256=text.sha256,
        patience=patience,
        on_progress=on_progress,
    )


def download(
    url: str,
    path: Path,
    *,
    num_bytes: int | None = None,
    sha256: str | None = None,
    patience: Patience | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> Download:
    """Fetch `url` to `path`, going on where an earlier try was cut off; fetch nothing if the file is there and right.

    Args:
        url: What to fetch.
        path: The file to make; its directory is made too.
        num_bytes: The file's size, where known beforehand.
        sha256: The file's hash, where known beforehand; otherwise that in `path`.sha256 counts if it exists, and is
            written there if not.
        patience: How long to try.
        on_progress: Told bytes fetched, of the bytes in all (0 as long as the server does not say).

    Raises:
        DownloadError: the server refuses, keeps breaking off (what has come is kept for the next try), or serves
            something else than promised (that is removed).
        StorageError: the disk is full (what has come is kept) or refuses.
    """
    record = path.with_name(f"{path.name}.sha256")
    known = sha256 or _read_record(record)
    was_present = path.exists()
    if was_present:
        actual = _check_present(path, num_bytes, known, record)
    else:
        make_directory(path.parent)
        actual = _fetch(url, path, num_bytes, known, patience or Patience(), on_progress)
    if known is None:
        write_text_atomically(record, f"{actual}  {path.name}\n")
    return Download(
        path=path,
        num_bytes=path.stat().st_size,
        sha256=actual,
        was_present=was_present,
        record=record if known is None else None,
    )


def _check_present(path: Path, num_bytes: int | None, sha256: str | None, record: Path) -> str:
    """The hash of a file that is there already, having checked it."""
    check_is_file(path, "a text to be downloaded to it", "name a file, not its directory")
    remedy = f"move it away to download it again (and {record.name}, if you want a newer text)"
    actual_bytes = path.stat().st_size
    if num_bytes not in (None, actual_bytes):
        raise DownloadError(f"{path} is there already but has {actual_bytes:,} bytes, expected {num_bytes:,}; {remedy}")
    actual = sha256_of_file(path)
    if sha256 not in (None, actual):
        raise DownloadError(f"{path} is there already but its sha256 is {actual}, expected {sha256}; {remedy}")
    return actual


def _fetch(
    url: str,
    path: Path,
    num_bytes: int | None,
    sha256: str | None,
    patience: Patience,
    on_progress: ProgressCallback,
) -> str:
    """Make `path` from what `url` serves and return its hash."""
    part = PartFile(path)
    _complete(part, url, num_bytes, patience, is_verifiable=sha256 is not None, on_progress=on_progress)
    notes = part.read_notes()
    expected = sha256 or (notes.sha256 if notes else "")
    actual = sha256_of_file(part.path)
    if expected not in ("", actual):
        part.discard()
        raise DownloadError(
            f"{url}: the sha256 of what came is {actual}, expected {expected}; it was removed; try again or a mirror"
        )
    with storage_errors(path):
        with part.path.open("rb") as file:
            os.fsync(file.fileno())
        part.path.replace(path)
        sync_directory(path.parent)
    part.discard()
    return actual


def _complete(
    part: PartFile,
    url: str,
    num_bytes: int | None,
    patience: Patience,
    *,
    is_verifiable: bool,
    on_progress: ProgressCallback,
) -> None:
    """Open one connection after another until `part` is whole."""
    failures, furthest = 0, part.num_bytes
    with httpx.Client(timeout=patience.stall_seconds, follow_redirects=True) as client:
        while True:
            try:
                transfer(client, url, part, num_bytes=num_bytes, is_verifiable=is_verifiable, on_progress=on_progress)
                return
            except TransferInterrupted as error:
                if part.num_bytes >= furthest + _WORTHWHILE_BYTES:
                    failures = 0
                failures, furthest = failures + 1, max(furthest, part.num_bytes)
                if failures >= patience.attempts:
                    raise DownloadError(
                        f"{url}: {error}, {failures} times in a row; {part.num_bytes:,} bytes are kept in {part.path}; "
                        "run the same command again to go on from there"
                    ) from error
                patience.sleep(patience.backoff_seconds * 2 ** (failures - 1))


def _read_record(record: Path) -> str | None:
    """The hash that an earlier download wrote down, or None."""
    if not record.exists():
        return None
    sha256 = record.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DownloadError(f"{record}: no sha256 in it; expected 64 hexadecimal digits; delete it to record anew")
    return sha256
