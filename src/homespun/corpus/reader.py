"""Texts and documents from files of the kinds that corpora come in."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from homespun.corpus.decoding import Utf8Decoder
from homespun.corpus.pieces import PIECE_BYTES, BytePieces
from homespun.corpus.segments import Batch, read_segments


def read_documents(
    path: str | PathLike[str], *, separator: str = "<|endoftext|>", text_key: str = "text"
) -> Iterator[str]:
    r"""Yield a file's documents one by one, in memory bounded by the longest of them.

    A text file's documents are what stands between separators, untouched: joined with the separator, and one at the
    end where the file has one, they give the file back. "a\n<|endoftext|>\nb" holds "a\n" and "\nb". A .jsonl file's
    documents are the strings under `text_key`, one a line.

    Args:
        path: A text file or .jsonl; either one also as .gz or .zst.
        separator: What stands between documents in text.
        text_key: The key of a JSON line's text.

    Raises:
        ConfigError: the separator is empty.
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated, invalid UTF-8 (with its byte offset) or invalid JSON (with its line).
    """
    parts: list[str] = []
    for segment in read_segments(path, separator=separator, text_key=text_key, batch_bytes=PIECE_BYTES):
        if isinstance(segment, Batch):
            yield from segment.documents
        else:
            parts.append(segment.text)
            if segment.is_last:
                yield "".join(parts)
                parts = []


def read_text(path: str | PathLike[str]) -> Iterator[str]:
    """Yield a text file's characters in pieces, cut anywhere between two of them.

    Args:
        path: A text file, plain or .gz or .zst; of a .jsonl file it is the JSON that is read.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated or invalid UTF-8 (with its byte offset in the decompressed text).
    """
    decoder = Utf8Decoder(Path(path))
    for piece in BytePieces(path):
        yield decoder.decode(piece)
    yield decoder.decode(b"", is_last=True)
