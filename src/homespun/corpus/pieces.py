"""The bytes of a text file, decompressed, piece by piece."""

import gzip
import zlib
from collections.abc import Iterator
from os import PathLike

import zstandard

from homespun.corpus.inputs import InputFile, as_input
from homespun.corpus.remote import ByteStream
from homespun.errors import DataError

PIECE_BYTES = 1 << 20
# A zstd block of 4 bytes may stand for 128 KiB of one letter: small helpings keep what one of them yields below 32 MiB.
_ZSTD_HELPING_BYTES = 1 << 10


class BytePieces:
    """Iterates over a file's bytes, decompressed as its name's ending (.gz, .zst) says.

    Raises on iteration:
        MissingFileError: there is no such file.
        DataError: it is empty, a directory, truncated, damaged, or of a kind that is not text.
        DownloadError: it lies behind a URL that cannot be read.
    """

    def __init__(self, file: str | PathLike[str] | InputFile, start: int = 0) -> None:
        """Name the file; it is opened when iterated.

        Args:
            file: A path, a URL or an input.
            start: Decompressed bytes to leave out at its beginning.
        """
        self.file = as_input(file)
        self.consumed_bytes = 0
        """Bytes of the file itself, as compressed, read so far: against its size, how far the reading is."""
        self._start = start

    def __iter__(self) -> Iterator[bytes]:
        if self.file.kind == "parquet":
            raise DataError(f"{self.file}: a parquet file is a table, not a text; expected .txt or .jsonl")
        is_empty = True
        with self.file.open() as file:
            try:
                for piece in self._decompressed(file):
                    is_empty = False
                    self.consumed_bytes = file.tell()
                    yield piece
            except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
                raise DataError(
                    f"{self.file}: truncated or damaged ({error}); download or compress the file again"
                ) from error
        if is_empty and not self._start:
            raise DataError(f"{self.file}: the file is empty; expected text")

    def _decompressed(self, file: ByteStream) -> Iterator[bytes]:
        match self.file.compression:
            case ".gz":
                with gzip.open(file) as stream:
                    yield from _skip(iter(lambda: stream.read(PIECE_BYTES), b""), self._start)
            case ".zst":
                yield from _skip(_decompress_zstd(file), self._start)
            case _:
                file.seek(self._start)
                yield from iter(lambda: file.read(PIECE_BYTES), b"")


def _decompress_zstd(file: ByteStream) -> Iterator[bytes]:
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
