"""One connection of a download: append what the server sends to the partial file, or say why not."""

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from homespun.errors import DownloadError
from homespun.files import storage_errors, write_text_atomically
from homespun.progress import ProgressCallback
from homespun.typed_json import read_json

_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}


class TransferInterrupted(Exception):
    """The connection ended before the file; another one may continue."""


@dataclass(frozen=True, kw_only=True)
class ServerNotes:
    """What the server stated about the file whose beginning is in a partial file."""

    url: str
    validator: str
    """Its strong ETag or its time of change, or "": the rest is requested only while it is the same."""
    num_bytes: int
    """The whole file's size; 0 where the server did not say."""
    sha256: str
    """The whole file's hash where the hub stated it, otherwise ""."""


class PartialFile:
    """The beginning of a file being downloaded, and notes that identify the file."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._notes_path = target.with_name(f"{target.name}.part.json")

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def read_notes(self) -> ServerNotes | None:
        """Return the notes, or None where there are none or they are damaged."""
        with suppress(OSError, ValueError):
            return read_json(self._notes_path, ServerNotes)
        return None

    def write_notes(self, notes: ServerNotes) -> None:
        write_text_atomically(self._notes_path, json.dumps(asdict(notes)) + "\n")

    def discard(self) -> None:
        """Remove the file and its notes."""
        with storage_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._notes_path.unlink(missing_ok=True)


def transfer(
    client: httpx.Client,
    url: str,
    partial: PartialFile,
    *,
    num_bytes: int | None,
    is_verifiable: bool,
    on_progress: ProgressCallback,
) -> None:
    """Complete `partial` over one connection.

    Args:
        client: The HTTP client.
        url: The address.
        partial: The file to append to; the download resumes at its end if the server still has the same file.
        num_bytes: The file's size, if known beforehand.
        is_verifiable: Whether the caller knows the hash, and so notices a truncated file.
        on_progress: Called with (bytes received, bytes in all, or 0 while the server does not say).

    Raises:
        TransferInterrupted: the connection broke, or the server asks to try again.
        DownloadError: the server refuses, or has another file than expected.
        StorageError: the disk is full, or refuses.
    """
    before = partial.read_notes()
    if before is None or before.url != url or not before.validator or not partial.num_bytes:
        before = None
        partial.discard()
    elif partial.num_bytes == before.num_bytes:
        return
    # Not compressed in transit: a range counts the bytes that are sent.
    headers = {"Accept-Encoding": "identity"}
    if before is not None:
        headers |= {"Range": f"bytes={partial.num_bytes}-", "If-Range": before.validator}
    try:
        with client.stream("GET", url, headers=headers) as response:
            _check_status(response, partial)
            is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
            notes = _read_headers(response, url, partial, before if is_rest else None)
            _check_size(notes, num_bytes, response, is_verifiable=is_verifiable)
            partial.write_notes(notes)
            _receive(response, partial, notes, is_rest=is_rest, on_progress=on_progress)
    except httpx.TimeoutException as error:
        raise TransferInterrupted("the server stopped sending") from error
    except httpx.UnsupportedProtocol as error:
        raise DownloadError(f"{url}: {error}; expected a URL that starts with http:// or https://") from error
    except httpx.TransportError as error:
        raise TransferInterrupted(str(error) or type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(f"{url}: {error}; check the URL") from error
    expected = notes.num_bytes or num_bytes
    if expected and partial.num_bytes < expected:
        raise TransferInterrupted(f"{partial.num_bytes:,} of {expected:,} bytes were received")
    if expected and partial.num_bytes > expected:
        num_received = partial.num_bytes
        partial.discard()
        raise DownloadError(
            f"{url}: {num_received:,} bytes were received, expected {expected:,}; they were removed; try a mirror"
        )


def _check_status(response: httpx.Response, partial: PartialFile) -> None:
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        partial.discard()
        raise TransferInterrupted("the server's file has changed")
    if response.status_code in _WORTH_ANOTHER_TRY:
        raise TransferInterrupted(f"the server answered {status}")
    raise DownloadError(f"{response.url}: the server answered {status}; check the URL and whether it needs permission")


def _read_headers(response: httpx.Response, url: str, partial: PartialFile, before: ServerNotes | None) -> ServerNotes:
    """What the server states now; `before` is what it must still state if it sends the rest only."""
    headers = response.headers
    if headers.get("content-encoding", "identity") != "identity" and not url.endswith(".gz"):
        raise DownloadError(f"{url}: the server compresses the file although asked not to; try a mirror")
    etag = headers.get("etag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")
    # The hub redirects large files to a store, and states their hash in the redirect.
    announced = [answer.headers.get("x-linked-etag", "").strip('"') for answer in response.history]
    sha256 = next((value for value in announced if re.fullmatch("[0-9a-f]{64}", value)), "")
    if before is None:
        total = int(headers.get("content-length", 0))
    else:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("content-range", ""))
        is_same = validator in ("", before.validator) and sha256 in ("", before.sha256)
        start, total = (int(match[1]), int(match[2])) if match else (0, 0)
        if start != partial.num_bytes or before.num_bytes not in (0, total) or not is_same:
            partial.discard()
            raise TransferInterrupted("the server sent other bytes than requested")
        validator, sha256 = before.validator, before.sha256
    return ServerNotes(url=url, validator=validator, num_bytes=total, sha256=sha256)


def _check_size(notes: ServerNotes, num_bytes: int | None, response: httpx.Response, *, is_verifiable: bool) -> None:
    if num_bytes is not None and notes.num_bytes not in (0, num_bytes):
        raise DownloadError(
            f"{notes.url}: the server has {notes.num_bytes:,} bytes, expected {num_bytes:,}; nothing was downloaded; "
            "try a mirror"
        )
    is_framed = notes.num_bytes > 0 or response.headers.get("transfer-encoding", "").lower() == "chunked"
    if not (is_framed or is_verifiable or num_bytes is not None):
        raise DownloadError(
            f"{notes.url}: the server does not say how long the file is, so that a "
            "truncated one would not be noticed; try a mirror"
        )


def _receive(
    response: httpx.Response, partial: PartialFile, notes: ServerNotes, *, is_rest: bool, on_progress: ProgressCallback
) -> None:
    done = partial.num_bytes if is_rest else 0
    with storage_errors(partial.path), partial.path.open("ab" if is_rest else "wb") as file:
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            on_progress(done, notes.num_bytes)
