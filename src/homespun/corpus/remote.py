"""Files behind URLs: the one place that imports fsspec.

Every function raises MissingPackageError where fsspec, or what it needs for this kind of URL, is not installed,
MissingFileError where there is no such file, and DownloadError where the store refuses or the connection breaks.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from homespun.errors import DownloadError, HomespunError, MissingFileError, MissingPackageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# The keys under which stores say that a file has changed, the most reliable first.
_CHANGE_KEYS = (
    "ETag", "etag", "content_md5", "Content-MD5", "md5Hash", "mtime",
    "LastModified", "last_modified", "Last-Modified", "updated", "modified", "created",
)  # fmt: skip


@runtime_checkable
class ByteStream(Protocol):
    """The methods that reading needs; the files of stores have few others."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


@contextmanager
def open_url(url: str) -> Iterator[ByteStream]:
    """Open the file at `url` for reading; errors inside the block are reported as errors of reading it."""
    with _store_errors(url):
        store, path = _find_store(url)
        with store.open(path, "rb") as file:
            yield cast(ByteStream, file)


def stat_url(url: str) -> tuple[int, str]:
    """Return the size in bytes of the file at `url`, and what identifies its version ("" where the store does not say).

    Raises:
        DownloadError: also where the store does not say how long the file is.
    """
    with _store_errors(url):
        store, path = _find_store(url)
        info = store.info(path)
    if info.get("type") == "directory":
        raise MissingFileError(f"{url} is a directory; name its files, for example {url.rstrip('/')}/*.parquet")
    if info.get("size") is None:
        raise DownloadError(f"{url}: the server does not say how long the file is; download it and name the copy")
    return int(info["size"]), next((str(info[key]) for key in _CHANGE_KEYS if info.get(key)), "")


def glob_url(pattern: str) -> list[str]:
    """Return the URLs of the files that match `pattern`, without hidden ones, sorted by name."""
    with _store_errors(pattern):
        store, path = _find_store(pattern)
        found = cast(dict[str, dict[str, Any]], store.glob(path, detail=True))
        names = sorted(name for name, info in found.items() if info["type"] == "file")
        return [store.unstrip_protocol(name) for name in names if not name.rpartition("/")[2].startswith(".")]


def _find_store(url: str) -> "tuple[AbstractFileSystem, str]":
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise (MissingPackageError.for_import(error, f"{url}: a URL") or error) from error
    return url_to_fs(url)


@contextmanager
def _store_errors(url: str) -> Iterator[None]:
    try:
        yield
    except HomespunError:
        raise
    except ImportError as error:
        raise MissingPackageError(f"{url}: a package for such URLs is missing ({error})") from error
    # Each store raises the errors of its own client library; they share no narrower class.
    except Exception as error:
        # fsspec reports every failure over HTTP as a missing file; the true one is the cause.
        cause = error.__cause__ if url.startswith(("http://", "https://")) and error.__cause__ else error
        if isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404:
            raise MissingFileError(f"{url}: no such file; check the URL") from error
        reason = re.sub(r"\s+", " ", str(cause)) or "no reason given"
        raise DownloadError(
            f"{url}: cannot be read ({type(cause).__name__}: {reason}); check the URL, the network and your permission"
        ) from error
