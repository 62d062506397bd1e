"""Downloads that resume at any byte, and end with the expected bytes or an error.

Until it is complete, a download of `text.txt` is in `text.txt.part`, with what the server stated about the file in
`text.txt.part.json`; it is renamed once size and hash are right. A hash that was not known beforehand is recorded in
`text.txt.sha256`, in the format of `sha256sum --check`, and later downloads must equal it.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import httpx

from homespun.corpus.catalogue import HUB_URL, NamedText
from homespun.corpus.transfer import PartialFile, TransferInterrupted
from homespun.errors import DownloadError
from homespun.files import check_is_file, make_directory, sha256_of_file, write_text_atomically
from homespun.progress import ProgressCallback, ignore_progress

# What an attempt must add for the next one to count as the first again; a large file may take many connections.
_WORTHWHILE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file that is there and complete, with the expected hash."""

    path: Path
    num_bytes: int
    sha256: str
    was_present: bool
    """Whether it was there before, so that nothing was downloaded."""
    record: Path | None
    """The file in which its hash was recorded by this call; None where it was known."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When a download is tried again, and when it gives up."""

    attempts: int = 6
    """Attempts in a row without progress before it gives up."""
    stall_seconds: float = 30.0
    """Silence after which a connection counts as dead."""
    backoff_seconds: float = 1.0
    """Pause before the second attempt; it doubles with each later one."""
    sleep: Callable[[float], None] = time.sleep


def ignore_message(message: str) -> None:
    """Ignore what a download waits for (the default)."""


def download_text(
    text: NamedText,
    path: str | PathLike[str],
    *,
    base_url: str = HUB_URL,
    on_progress: ProgressCallback = ignore_progress,
    on_message: Callable[[str], None] = ignore_message,
) -> Download:
    """Download one of the catalogue's texts to `path`; see `download`."""
    return download(
        text.url(base_url),
        path,
        num_bytes=text.num_bytes,
        sha256=text.sha256,
        on_progress=on_progress,
        on_message=on_message,
    )


def download(
    url: str,
    path: str | PathLike[str],
    *,
    num_bytes: int | None = None,
    sha256: str | None = None,
    patience: Patience | None = None,
    on_progress: ProgressCallback = ignore_progress,
    on_message: Callable[[str], None] = ignore_message,
) -> Download:
    """Download `url` to `path`, resuming an interrupted download; a file that is there is checked and kept.

    Args:
        url: Its address.
        path: The file to create; its directory is created too.
        num_bytes: The file's size, if known beforehand.
        sha256: The file's hash, if known beforehand; otherwise that in `path`.sha256 is used if it exists, and is
            recorded there if not.
        patience: When to try again and when to give up.
        on_progress: Called with (bytes downloaded, bytes in all, or 0 while the server does not say).
        on_message: Called with one line before each wait: for the server, and before another attempt.

    Raises:
        DownloadError: the server refuses, keeps interrupting (what was received is kept for the next call), or serves
            other bytes than expected (they are removed).
        StorageError: the disk is full (what was received is kept) or refuses.
    """
    path = Path(path)
    record = path.with_name(f"{path.name}.sha256")
    known = sha256 or _read_record(record)
    was_present = path.exists()
    if was_present:
        actual = _check_present(path, num_bytes, known, record)
    else:
        make_directory(path.parent)
        partial = PartialFile(path, url, num_bytes, known)
        on_message(f"downloading {url}")
        _complete(partial, patience or Patience(), on_progress, on_message)
        actual = partial.rename()
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
    """Check a file that is there already; return its hash."""
    check_is_file(path, "a text to be downloaded to it", "name a file, not its directory")
    remedy = f"move it away to download it again (and {record.name}, if you want a newer text)"
    actual_bytes = path.stat().st_size
    if num_bytes not in (None, actual_bytes):
        raise DownloadError(f"{path} is there already but has {actual_bytes:,} bytes, expected {num_bytes:,}; {remedy}")
    actual = sha256_of_file(path)
    if sha256 not in (None, actual):
        raise DownloadError(f"{path} is there already but its sha256 is {actual}, expected {sha256}; {remedy}")
    return actual


def _complete(
    partial: PartialFile, patience: Patience, on_progress: ProgressCallback, on_message: Callable[[str], None]
) -> None:
    """Open one connection after another until `partial` is complete."""
    failures, furthest = 0, partial.num_bytes
    with httpx.Client(timeout=patience.stall_seconds, follow_redirects=True) as client:
        while True:
            try:
                partial.receive(client, on_progress)
                return
            except TransferInterrupted as error:
                if partial.num_bytes >= furthest + _WORTHWHILE_BYTES:
                    failures = 0
                failures, furthest = failures + 1, max(furthest, partial.num_bytes)
                if failures >= patience.attempts:
                    raise DownloadError(
                        f"{partial.url}: {error}, {failures} times in a row; {partial.num_bytes:,} bytes are kept in "
                        f"{partial.path}; run the same command again to resume"
                    ) from error
                pause = patience.backoff_seconds * 2 ** (failures - 1)
                on_message(f"{error}; attempt {failures + 1} of {patience.attempts} in {pause:.0f} s")
                patience.sleep(pause)


def _read_record(record: Path) -> str | None:
    """The hash that an earlier download recorded, or None."""
    if not record.exists():
        return None
    sha256 = record.read_text(encoding="utf-8", errors="replace").partition(" ")[0].strip()
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise DownloadError(
            f"{record}: no sha256 in it; expected 64 hexadecimal digits; delete it to record the hash again"
        )
    return sha256
