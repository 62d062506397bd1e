"""One connection of a download: append what the server sends to the partial file, or say why not."""

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn

import httpx

from homespun.errors import DownloadError
from homespun.files import rename_durably, sha256_of_file, storage_errors, write_text_atomically
from homespun.progress import ProgressCallback
from homespun.typed_json import read_json

_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}


class TransferInterrupted(Exception):
    """The connection ended before the file; another one may continue."""


@dataclass(frozen=True, kw_only=True)
class _ServerNotes:
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

    def __init__(self, target: Path, url: str, num_bytes: int | None, sha256: str | None) -> None:
        """Name the file.

        Args:
            target: Its path once it is complete.
            url: Its address.
            num_bytes: Its size, if known beforehand.
            sha256: Its hash, if known beforehand.
        """
        self.path = target.with_name(f"{target.name}.part")
        self.url = url
        self._target = target
        self._notes_path = target.with_name(f"{target.name}.part.json")
        self._expected_bytes = num_bytes
        self._expected_sha256 = sha256

    @property
    def num_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def receive(self, client: httpx.Client, on_progress: ProgressCallback) -> None:
        """Complete the file over one connection, resuming at its end if the server still has the same file.

        Raises:
            TransferInterrupted: the connection broke, or the server asks to try again.
            DownloadError: the server refuses, or has another file than expected.
            StorageError: the disk is full, or refuses.
        """
        before = self._read_notes()
        if before is None or before.url != self.url or not before.validator or not self.num_bytes:
            before = None
            self._discard()
        elif self.num_bytes == before.num_bytes:
            return
        # Not compressed in transit: a range counts the bytes that are sent.
        headers = {"Accept-Encoding": "identity"}
        if before is not None:
            headers |= {"Range": f"bytes={self.num_bytes}-", "If-Range": before.validator}
        try:
            with client.stream("GET", self.url, headers=headers) as response:
                self._check_status(response)
                is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
                notes = self._read_headers(response, before if is_rest else None)
                self._check_size(notes, response)
                write_text_atomically(self._notes_path, json.dumps(asdict(notes)) + "\n")
                done = self.num_bytes if is_rest else 0
                with storage_errors(self.path), self.path.open("ab" if is_rest else "wb") as file:
                    for chunk in response.iter_raw():
                        file.write(chunk)
                        done += len(chunk)
                        on_progress(done, notes.num_bytes)
        except httpx.TimeoutException as error:
            raise TransferInterrupted("the server stopped sending") from error
        except httpx.UnsupportedProtocol as error:
            raise DownloadError(f"{self.url}: {error}; expected a URL that starts with http:// or https://") from error
        except httpx.TransportError as error:
            raise TransferInterrupted(str(error) or type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError(f"{self.url}: {error}; check the URL") from error
        expected = notes.num_bytes or self._expected_bytes or done
        if done < expected:
            raise TransferInterrupted(f"{done:,} of {expected:,} bytes were received")
        if done > expected:
            self._refuse(f"{done:,} bytes were received, expected {expected:,}")

    def rename(self) -> str:
        """Give the complete file its name; return its hash.

        Raises:
            DownloadError: the hash is not the expected one.
            StorageError: the disk refuses.
        """
        notes = self._read_notes()
        expected = self._expected_sha256 or (notes.sha256 if notes else "")
        actual = sha256_of_file(self.path)
        if expected not in ("", actual):
            self._refuse(f"received bytes with the sha256 {actual}, expected {expected}")
        with storage_errors(self._target):
            rename_durably(self.path, self._target)
        self._discard()
        return actual

    def _refuse(self, what: str) -> NoReturn:
        self._discard()
        raise DownloadError(f"{self.url}: {what}; they were removed; try again, or a mirror")

    def _read_notes(self) -> _ServerNotes | None:
        """The notes, or None where there are none or they are damaged."""
        with suppress(OSError, ValueError):
            return read_json(self._notes_path, _ServerNotes)
        return None

    def _discard(self) -> None:
        with storage_errors(self.path):
            self.path.unlink(missing_ok=True)
            self._notes_path.unlink(missing_ok=True)

    def _check_status(self, response: httpx.Response) -> None:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        if response.status_code in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            return
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._discard()
            raise TransferInterrupted("the server's file has changed")
        if response.status_code in _WORTH_ANOTHER_TRY:
            raise TransferInterrupted(f"the server answered {status}")
        raise DownloadError(
            f"{response.url}: the server answered {status}; check the URL and whether it needs permission"
        )

    def _read_headers(self, response: httpx.Response, before: _ServerNotes | None) -> _ServerNotes:
        """What the server states now; `before` is what it must still state if it sends the rest only."""
        headers = response.headers
        if headers.get("content-encoding", "identity") != "identity" and not self.url.endswith(".gz"):
            raise DownloadError(f"{self.url}: the server compresses the file although asked not to; try a mirror")
        etag = headers.get("etag", "")
        validator = etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")
        # The hub redirects large files to a store, and states their hash in the redirect.
        announced = [answer.headers.get("x-linked-etag", "").strip('"') for answer in response.history]
        sha256 = next((value for value in announced if re.fullmatch("[0-9a-f]{64}", value)), "")
        if before is None:
            total = int(headers.get("content-length", 0))
            return _ServerNotes(url=self.url, validator=validator, num_bytes=total, sha256=sha256)
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("content-range", ""))
        start, total = (int(match[1]), int(match[2])) if match else (0, 0)
        is_same = validator in ("", before.validator) and sha256 in ("", before.sha256)
        if start != self.num_bytes or before.num_bytes not in (0, total) or not is_same:
            self._discard()
            raise TransferInterrupted("the server sent other bytes than requested")
        return replace(before, num_bytes=total)

    def _check_size(self, notes: _ServerNotes, response: httpx.Response) -> None:
        expected = self._expected_bytes
        if expected is not None and notes.num_bytes not in (0, expected):
            raise DownloadError(
                f"{self.url}: the server has {notes.num_bytes:,} bytes, expected {expected:,}; nothing was downloaded; "
                "try a mirror"
            )
        is_framed = notes.num_bytes > 0 or response.headers.get("transfer-encoding", "").lower() == "chunked"
        if not is_framed and expected is None and self._expected_sha256 is None:
            raise DownloadError(
                f"{self.url}: the server does not say how long the file is, so that a "
                "truncated one would not be noticed; try a mirror"
            )
