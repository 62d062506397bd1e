"""Documents of plain text and of JSON lines, in memory bounded by a stated size.

Text is split as bytes, which UTF-8 allows, so that an error can name the byte offset in the file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from homespun.corpus.decoding import DecompressedFile, decode_utf8
from homespun.errors import DataError
from homespun.typed_json import parse_json


@dataclass(frozen=True)
class DocumentBatch:
    """Consecutive documents."""

    documents: list[str]
    consumed_bytes: int
    """Bytes of the file as stored that were read so far; compare with its size for progress."""
    is_closed: bool = True
    """Whether the last one ends in a separator; the others do."""
    continues: bool = False
    """Whether the last one is only the beginning of a document, which the first one of the next batch continues."""


def split_text(file: DecompressedFile, separator: bytes, batch_bytes: int) -> Iterator[DocumentBatch]:
    """The documents of a text: what `text.split(separator)` gives.

    Except that an empty string after a closing separator is not a document.
    """
    held, offset = b"", 0  # bytes after the last separator, and their offset in the file
    for block in _regroup(file, batch_bytes):
        *documents, held = (held + block).split(separator)
        if documents:
            texts: list[str] = []
            for document in documents:
                texts.append(decode_utf8(file.file, document, offset)[0])
                offset += len(document) + len(separator)
            yield DocumentBatch(texts, file.consumed_bytes)
        elif len(held) > batch_bytes:
            # The end may belong to a separator. One byte more stays, so that the document ends with a later batch.
            text, num_bytes = decode_utf8(file.file, held[: -len(separator)], offset, is_last=False)
            yield DocumentBatch([text], file.consumed_bytes, is_closed=False, continues=True)
            held, offset = held[num_bytes:], offset + num_bytes
    if held:
        yield DocumentBatch([decode_utf8(file.file, held, offset)[0]], file.consumed_bytes, is_closed=False)


def _regroup(chunks: Iterable[bytes], num_bytes: int) -> Iterator[bytes]:
    """The same bytes in blocks of exactly `num_bytes`, except for the last."""
    held = bytearray()
    for data in chunks:
        held += data
        while len(held) >= num_bytes:
            yield bytes(held[:num_bytes])
            del held[:num_bytes]
    if held:
        yield bytes(held)


def batch_by_size(texts: Iterable[tuple[str, int, int]], batch_bytes: int) -> Iterator[DocumentBatch]:
    """Group (document, its size in bytes, consumed bytes) into batches of at least `batch_bytes`, but for the last."""
    documents, num_bytes, consumed_bytes = list[str](), 0, 0
    for text, text_bytes, consumed_bytes in texts:
        documents.append(text)
        num_bytes += text_bytes
        if num_bytes >= batch_bytes:
            yield DocumentBatch(documents, consumed_bytes)
            documents, num_bytes = [], 0
    if documents:
        yield DocumentBatch(documents, consumed_bytes)


def split_lines(
    file: DecompressedFile, text_key: str, batch_bytes: int, max_document_bytes: int | None
) -> Iterator[DocumentBatch]:
    """The documents of JSON lines: the string under `text_key` of each line's object.

    Blank lines are skipped, as JSON lines readers commonly do.
    """
    texts = (
        (*_parse_line(line, text_key, f"{file.file}:{number}"), file.consumed_bytes)
        for number, line in enumerate(_read_lines(file, max_document_bytes), 1)
        if line.strip()
    )
    batch = None
    for batch in batch_by_size(texts, batch_bytes):
        yield batch
    if batch is None:
        raise DataError(f"{file.file}: all lines are blank; expected one JSON object a line")


def _read_lines(file: DecompressedFile, max_bytes: int | None) -> Iterator[bytes]:
    held, number = bytearray(), 1  # the beginning of a line, and the number of that line
    for data in file:
        if end := data.rfind(b"\n") + 1:
            *lines, held = (held + data[:end]).split(b"\n")
            number += len(lines)
            yield from map(bytes, lines)
        held += memoryview(data)[end:]
        # A line is held whole: checked before the rest of it is read, which may be much more.
        if max_bytes is not None and len(held) > max_bytes:
            raise DataError(
                f"{file.file}:{number}: the line is longer than {max_bytes:,} bytes, the most that the memory "
                "allowed leaves for a document; allow more memory, or divide the document"
            )
    if held:
        yield bytes(held)


def _parse_line(line: bytes, text_key: str, where: str) -> tuple[str, int]:
    """The text of a line and its size in bytes."""
    try:
        document = parse_json(line)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: invalid UTF-8 at byte {error.start} of the line; convert the file to UTF-8"
        ) from error
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}); every line must hold one JSON object") from error
    if not isinstance(document, dict):
        got = line[:60].decode(errors="ignore")  # may end inside a character
        raise DataError(f"{where}: expected a JSON object with the key {text_key!r}, got {got!r}")
    text = document.get(text_key)
    if not isinstance(text, str):
        raise DataError(f"{where}: {_describe_missing_text(document, text_key)}")
    try:
        return text, len(text.encode())
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: lone surrogate \\u{ord(text[error.start]):04x} at character {error.start} of the text; "
            "it is half of a UTF-16 pair and not a character; remove it"
        ) from error


def _describe_missing_text(document: dict[str, Any], text_key: str) -> str:
    if text_key not in document:
        keys = ", ".join(document) or "none"
        return f"no text under the key {text_key!r}; the keys here are {keys}; name the right one"
    if document[text_key] is None:
        return f"the text under the key {text_key!r} is null; remove the line, or write an empty text"
    found = repr(document[text_key])
    return f"the text under the key {text_key!r} is {found:.60}, expected a string; name another key, or correct it"
