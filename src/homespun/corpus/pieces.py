"""The bytes of a text file, decompressed, piece by piece: the one place that opens a corpus."""

import gzip
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import zstandard

from homespun.errors import DataError
from homespun.files import check_is_file

PIECE_BYTES = 1 << 20
# A zstd block of 4 bytes may stand for 128 KiB of one letter: small helpings keep what one of them yields below 32 MiB.
_ZSTD_HELPING_BYTES = 1 << 10
_OTHER_CONTAINERS = (".json", ".parquet", ".arrow", ".csv", ".xz", ".bz2", ".zip", ".tar", ".tgz")


class BytePieces:
    """Iterates over a file's bytes, decompressed as its name's ending (.gz, .zst) says.

    Raises on iteration:
        MissingFileError: there is no such file.
        DataError: it is empty, a directory, truncated, damaged, or of a kind that is not text.
    """

    def __init__(self, path: str | PathLike[str], start: int = 0) -> None:
        """Name the file; it is opened when iterated.

        Args:
            path: The file.
            start: Decompressed bytes to leave out at its beginning.
        """
        self.path = Path(path)
        self.consumed_bytes = 0
        """Bytes of the file itself, as compressed, read so far: against its size, how far the reading is."""
        self._start = start

    def __iter__(self) -> Iterator[bytes]:
        check_is_file(self.path, "a text file", "check the path")
        if self.path.suffix.lower() in _OTHER_CONTAINERS:
            raise DataError(
                f"{self.path}: {self.path.suffix} files cannot be read; "
                "expected plain text or .jsonl, either one also as .gz or .zst"
            )
        is_empty = True
        try:
            with self.path.open("rb") as file:
                for piece in self._decompressed(file):
                    is_empty = False
                    self.consumed_bytes = file.tell()
                    yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            raise DataError(
                f"{self.path}: truncated or damaged ({error}); download or compress the file again"
            ) from error
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        if is_empty and not self._start:
            raise DataError(f"{self.path}: the file is empty; expected text")

    def _decompressed(self, file: BinaryIO) -> Iterator[bytes]:
        match self.path.suffix.lower():
            case ".gz":
                with gzip.open(file) as stream:
                    yield from _skip(iter(lambda: stream.read(PIECE_BYTES), b""), self._start)
            case ".zst":
                yield from _skip(_decompress_zstd(file), self._start)
            case _:
                file.seek(self._start)
                yield from iter(lambda: file.read(PIECE_BYTES), b"")


def _decompress_zstd(file: BinaryIO) -> Iterator[bytes]:
    """Every frame of `file`, one after another.

    Not zstandard's stream reader: that one takes the end of a truncated file for the end of the text.
    """
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    is_inside_frame = False
    while helping := file.read(_ZSTD_HELPING_BYTES):
        while helping:
            if piece := frame.decompress(helping):
                yield piece
            is_inside_frame = not frame.eof
            helping = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = decompressor.decompressobj()
    if is_inside_frame:
        raise EOFError("the last zstd frame is not complete")


def _skip(pieces: Iterator[bytes], num_bytes: int) -> Iterator[bytes]:
    """The pieces without their first `num_bytes` bytes."""
    for piece in pieces:
        left = piece[num_bytes:]
        num_bytes = max(0, num_bytes - len(piece))
        if left:
            yield left
