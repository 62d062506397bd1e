"""One connection's worth of a download: append what the server sends to what is there, or say why not."""

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
    """The connection brought less than the file; another may bring the rest."""


@dataclass(frozen=True, kw_only=True)
class ServerNotes:
    """What the server said of the file whose beginning lies in a part file."""

    url: str
    validator: str
    """Its strong ETag or its time of change: the rest is worth having only as long as it stays the same. May be ""."""
    num_bytes: int
    """The whole file's size; 0 where the server did not say."""
    sha256: str
    """The whole file's hash where the hub named it, otherwise ""."""


class PartFile:
    """The beginning of a file being downloaded, and the notes that say which file."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._notes_path = target.with_name(f"{target.name}.part.json")

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def read_notes(self) -> ServerNotes | None:
        """The notes, or None where there are none that can be read."""
        with suppress(OSError, ValueError):
            return read_json(self._notes_path, ServerNotes)
        return None

    def write_notes(self, notes: ServerNotes) -> None:
        write_text_atomically(self._notes_path, json.dumps(asdict(notes)) + "\n")

    def discard(self) -> None:
        """Remove the part and its notes."""
        with storage_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._notes_path.unlink(missing_ok=True)


def transfer(
    client: httpx.Client,
    url: str,
    part: PartFile,
    *,
    num_bytes: int | None,
    is_verifiable: bool,
    on_progress: ProgressCallback,
) -> None:
    """Complete `part` over one connection.

    Args:
        client: What to fetch with.
        url: What to fetch.
        part: Where to put it; fetching goes on at its end where the server still has the same file.
        num_bytes: The file's size, where known beforehand.
        is_verifiable: Whether the caller can tell the whole file from a piece of it.
        on_progress: Told bytes there, of the bytes in all (0 as long as the server does not say).

    Raises:
        TransferInterrupted: it broke off, or the server asks to be tried again.
        DownloadError: the server refuses, or has another file than expected.
        StorageError: the disk is full, or refuses.
    """
    before = part.read_notes()
    if before is None or before.url != url or not before.validator or not part.num_bytes:
        before = None
        part.discard()
    elif part.num_bytes == before.num_bytes:
        return
    # Not compressed on the way: a range counts the bytes of what is sent.
    headers = {"Accept-Encoding": "identity"}
    if before is not None:
        headers |= {"Range": f"bytes={part.num_bytes}-", "If-Range": before.validator}
    try:
        with client.stream("GET", url, headers=headers) as response:
            _check_status(response, part)
            is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
            notes = _read_headers(response, url, part, before if is_rest else None)
            _check_size(notes, num_bytes, response, is_verifiable=is_verifiable)
            part.write_notes(notes)
            _receive(response, part, notes, is_rest=is_rest, on_progress=on_progress)
    except httpx.TimeoutException as error:
        raise TransferInterrupted("the server fell silent") from error
    except httpx.UnsupportedProtocol as error:
        raise DownloadError(f"{url}: {error}; expected a URL that starts with http:// or https://") from error
    except httpx.TransportError as error:
        raise TransferInterrupted(str(error) or type(error).__name__) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(f"{url}: {error}; check the URL") from error
    expected = notes.num_bytes or num_bytes
    if expected and part.num_bytes < expected:
        raise TransferInterrupted(f"{part.num_bytes:,} of {expected:,} bytes came")
    if expected and part.num_bytes > expected:
        num_came = part.num_bytes
        part.discard()
        raise DownloadError(f"{url}: {num_came:,} bytes came, expected {expected:,}; they were removed; try a mirror")


def _check_status(response: httpx.Response, part: PartFile) -> None:
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        return
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.discard()
        raise TransferInterrupted("the server's file has changed")
    if response.status_code in _WORTH_ANOTHER_TRY:
        raise TransferInterrupted(f"the server answered {status}")
    raise DownloadError(f"{response.url}: the server answered {status}; check the URL and whether it needs permission")


def _read_headers(response: httpx.Response, url: str, part: PartFile, before: ServerNotes | None) -> ServerNotes:
    """What the server says of the file now; `before` is what it must still say if it sends the rest only."""
    headers = response.headers
    if headers.get("content-encoding", "identity") != "identity" and not url.endswith(".gz"):
        raise DownloadError(f"{url}: the server compresses the file although asked not to; try a mirror")
    etag = headers.get("etag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")
    # The hub redirects large files to a store and names their hash on the way.
    announced = [answer.headers.get("x-linked-etag", "").strip('"') for answer in response.history]
    sha256 = next((value for value in announced if re.fullmatch("[0-9a-f]{64}", value)), "")
    if before is None:
        total = int(headers.get("content-length", 0))
    else:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("content-range", ""))
        is_same = validator in ("", before.validator) and sha256 in ("", before.sha256)
        start, total = (int(match[1]), int(match[2])) if match else (0, 0)
        if start != part.num_bytes or before.num_bytes not in (0, total) or not is_same:
            part.discard()
            raise TransferInterrupted("the server sent another part than asked for")
        validator, sha256 = before.validator, before.sha256
    return ServerNotes(url=url, validator=validator, num_bytes=total, sha256=sha256)


def _check_size(notes: ServerNotes, num_bytes: int | None, response: httpx.Response, *, is_verifiable: bool) -> None:
    if num_bytes is not None and notes.num_bytes not in (0, num_bytes):
        raise DownloadError(
            f"{notes.url}: the server has {notes.num_bytes:,} bytes, expected {num_bytes:,}; nothing was fetched; "
            "try a mirror"
        )
    is_framed = notes.num_bytes > 0 or response.headers.get("transfer-encoding", "").lower() == "chunked"
    if not (is_framed or is_verifiable or num_bytes is not None):
        raise DownloadError(
            f"{notes.url}: the server does not say how long the file is, so that a cut one could not be told from "
            "a whole one; try a mirror"
        )


def _receive(
    response: httpx.Response, part: PartFile, notes: ServerNotes, *, is_rest: bool, on_progress: ProgressCallback
) -> None:
    done = part.num_bytes if is_rest else 0
    with storage_errors(part.path), part.path.open("ab" if is_rest else "wb") as file:
        for chunk in response.iter_raw():
            file.write(chunk)
            done += len(chunk)
            on_progress(done, notes.num_bytes)
