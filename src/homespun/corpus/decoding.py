"""The bytes of a text file: read, decompressed and decoded to UTF-8."""

import codecs
import gzip
import zlib
from collections.abc import Iterator

import zstandard

from homespun.corpus.inputs import InputFile
from homespun.corpus.remote import ByteStream
from homespun.errors import DataError

READ_BYTES = 1 << 20
# A zstd block of 4 bytes may stand for 128 KiB of one letter: feeding 1 KiB at a time keeps the output below 32 MiB.
_ZSTD_INPUT_BYTES = 1 << 10
# `zstd --long=31`, the most that the command line writes. The decompressor allocates the window that a frame asks for,
# so ordinary files do not pay for this limit; zstandard's own default, 2^27, refuses the Reddit dumps.
_ZSTD_MAX_WINDOW_BYTES = 1 << 31


class DecompressedFile:
    """Iterates over a file's bytes, decompressed as its name's ending (.gz, .zst) says.

    Iterating raises what `InputFile.open` does, and DataError where the file is empty, truncated, damaged, or no text.
    """

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.consumed_bytes = 0
        """Bytes of the file as stored that were read so far; compare with its size for progress."""

    def __iter__(self) -> Iterator[bytes]:
        if self.file.kind == "parquet":
            raise DataError(f"{self.file}: a parquet file is a table, not a text; expected .txt or .jsonl")
        is_empty = True
        with self.file.open() as file:
            try:
                for data in self._decompress(file):
                    is_empty = False
                    self.consumed_bytes = file.tell()
                    yield data
            except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
                raise DataError(f"{self.file}: {_explain(error)}") from error
        if is_empty:
            raise DataError(f"{self.file}: the file is empty; expected text")

    def _decompress(self, file: ByteStream) -> Iterator[bytes]:
        match self.file.compression:
            case ".gz":
                with gzip.open(file) as stream:
                    yield from iter(lambda: stream.read(READ_BYTES), b"")
            case ".zst":
                yield from _decompress_zstd(file)
            case _:
                yield from iter(lambda: file.read(READ_BYTES), b"")


def _decompress_zstd(file: ByteStream) -> Iterator[bytes]:
    """Every frame of `file`, one after another.

    Not zstandard's stream reader: that one takes the end of a truncated file for the end of the text.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_MAX_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    is_inside_frame = False
    while compressed := file.read(_ZSTD_INPUT_BYTES):
        while compressed:
            if data := frame.decompress(compressed):
                yield data
            is_inside_frame = not frame.eof
            compressed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = decompressor.decompressobj()
    if is_inside_frame:
        raise EOFError("the last zstd frame is not complete")


def _explain(error: Exception) -> str:
    """What is wrong with a compressed file and what to do: the libraries' errors have several causes."""
    message = str(error)
    if isinstance(error, EOFError):
        return f"truncated ({message}); download or compress the file again"
    # "Unknown frame descriptor" is zstd's and "Not a gzipped file" is gzip's answer to a wrong first four bytes.
    if "Unknown frame descriptor" in message or "Not a gzipped file" in message:
        return f"not compressed as its name says, or damaged ({message}); rename it, or download it again"
    if "too much memory" in message:
        limit = _ZSTD_MAX_WINDOW_BYTES.bit_length() - 1
        return (
            f"needs a window of more than 2^{limit} bytes ({message}); compress it with `zstd --long={limit}` or less"
        )
    if "ictionary" in message:
        return f"compressed with a dictionary ({message}); decompress it first with `zstd -d -D DICTIONARY`"
    if "llocation" in message:
        return f"decompression does not fit in memory ({message}); compress it with a smaller `zstd --long`"
    return f"damaged ({message}); download or compress the file again"


def decode_utf8(file: InputFile, data: bytes, offset: int, *, is_last: bool = True) -> tuple[str, int]:
    """Decode `data`, which begins `offset` bytes into the file's decompressed text; return the bytes used too.

    Unless `is_last`, an incomplete character at the end is left over.

    Raises:
        DataError: it is not UTF-8; with the byte offset in the file.
    """
    try:
        return codecs.utf_8_decode(data, "strict", is_last)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: invalid UTF-8 at byte offset {offset + error.start} "
            f"(0x{data[error.start]:02x}: {error.reason}); convert the file to UTF-8"
        ) from error
