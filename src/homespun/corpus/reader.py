"""Texts and documents from files of the kinds that corpora come in."""

from collections.abc import Iterator
from os import PathLike

from homespun.corpus.decoding import Utf8Decoder
from homespun.corpus.inputs import InputFile, as_input
from homespun.corpus.json_lines import split_lines
from homespun.corpus.parquet import ParquetRows
from homespun.corpus.pieces import PIECE_BYTES, BytePieces
from homespun.corpus.segments import Batch, Fragment, Place
from homespun.corpus.text import split_text
from homespun.errors import ConfigError


class SegmentReader(Iterator[Batch | Fragment]):
    """Iterates over a file's documents from a place on.

    In text, documents are what `text.split(separator)` gives, except that nothing after a closing separator is no
    document. In JSON lines every line is one, in parquet every row, and each counts as closed.

    Raises on iteration:
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated, or not what its name says; with the byte offset, line or row.
        DownloadError: it lies behind a URL that cannot be read.
        MissingPackageError: it needs a package that is not installed.
    """

    def __init__(
        self,
        file: str | PathLike[str] | InputFile,
        *,
        separator: str,
        text_key: str,
        batch_bytes: int,
        start: Place | None = None,
    ) -> None:
        """Name the file; it is opened when iterated.

        Args:
            file: A path, a URL or an input.
            separator: What stands between documents in text.
            text_key: The key of a JSON line's text, or the column of a parquet file's.
            batch_bytes: About how many bytes of documents to hold at a time.
            start: Where to take up reading: a `place` that an earlier reading gave.

        Raises:
            ConfigError: the separator is empty.
            DataError: the file's name says that it cannot be read.
        """
        if not separator:
            raise ConfigError(
                "the separator is empty; name the text that stands between documents, such as <|endoftext|>"
            )
        self.file = as_input(file)
        start = start or Place()
        if self.file.kind == "parquet":
            self._source = ParquetRows(self.file, text_key, batch_bytes, start)
            self._segments = iter(self._source)
            return
        self._source = BytePieces(self.file, start.offset)
        if self.file.kind == "json lines":
            self._segments = split_lines(self._source, text_key, batch_bytes, start)
        else:
            self._segments = split_text(self._source, separator.encode(), batch_bytes, start)

    @property
    def consumed_bytes(self) -> int:
        """Bytes of the file itself, as stored, read so far: against its size, how far the reading is."""
        return self._source.consumed_bytes

    def __next__(self) -> Batch | Fragment:
        return next(self._segments)


def read_documents(
    file: str | PathLike[str] | InputFile, *, separator: str = "<|endoftext|>", text_key: str = "text"
) -> Iterator[str]:
    r"""Yield a file's documents one by one, in memory bounded by the longest of them.

    A text file's documents are what stands between separators, untouched: joined with the separator, and one at the
    end where the file has one, they give the file back. "a\n<|endoftext|>\nb" holds "a\n" and "\nb". A .jsonl file's
    documents are the strings under `text_key`, one a line; a .parquet file's those in the column of that name.

    Args:
        file: The path or URL of a text file or .jsonl, either one also as .gz or .zst, or of a .parquet file.
        separator: What stands between documents in text.
        text_key: The key of a JSON line's text, or the column of a parquet file's.

    Raises:
        ConfigError: the separator is empty.
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated, invalid UTF-8 (with its byte offset) or invalid JSON (with its line).
        DownloadError: it lies behind a URL that cannot be read.
        MissingPackageError: it needs a package that is not installed.
    """
    parts: list[str] = []
    for segment in SegmentReader(file, separator=separator, text_key=text_key, batch_bytes=PIECE_BYTES):
        if isinstance(segment, Batch):
            yield from segment.documents
        else:
            parts.append(segment.text)
            if segment.is_last:
                yield "".join(parts)
                parts = []


def read_text(file: str | PathLike[str] | InputFile) -> Iterator[str]:
    """Yield a text file's characters in pieces, cut anywhere between two of them.

    Args:
        file: The path or URL of a text file, plain or .gz or .zst; of a .jsonl file it is the JSON that is read.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated or invalid UTF-8 (with its byte offset in the decompressed text).
        DownloadError: it lies behind a URL that cannot be read.
    """
    pieces = BytePieces(file)
    decoder = Utf8Decoder(pieces.file)
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", is_last=True)
