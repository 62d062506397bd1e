"""Documents of plain text and of JSON lines, in memory bounded by a stated size.

Text is split as bytes, which UTF-8 allows, so that an error can name the byte offset in the file.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from homespun.corpus.decoding import READ_BYTES, DecompressedFile, Utf8Decoder, decode_at
from homespun.corpus.inputs import InputFile
from homespun.errors import DataError
from homespun.typed_json import parse_json


@dataclass(frozen=True)
class DocumentBatch:
    """Consecutive whole documents."""

    documents: list[str]
    num_bytes: int
    """Bytes of the documents, without separators."""
    is_closed: bool
    """Whether the last one ends in a separator; the others do."""


@dataclass(frozen=True)
class DocumentChunk:
    """Consecutive characters of a document too long to be held whole."""

    text: str
    num_bytes: int
    is_last: bool
    is_closed: bool
    """Whether a separator follows; false for all chunks but the last."""


def split_text(file: DecompressedFile, separator: bytes, batch_bytes: int) -> Iterator[DocumentBatch | DocumentChunk]:
    """The documents of a text: what `text.split(separator)` gives.

    Except that an empty string after a closing separator is not a document.
    """
    offset = 0
    blocks = _regroup(file, batch_bytes)
    held = b""
    while True:
        # The last element is incomplete as long as blocks follow; so is a separator at its end.
        *documents, held = held.split(separator)
        if documents:
            yield _decode_batch(file.file, offset, documents, len(separator), is_closed=True)
            offset += sum(map(len, documents)) + len(separator) * len(documents)
        if len(held) > batch_bytes:
            offset, held = yield from _split_long_document(file.file, held, blocks, separator, offset)
            continue
        block = next(blocks, b"")
        if not block:
            break
        held += block
    if held:
        yield _decode_batch(file.file, offset, [held], len(separator), is_closed=False)


def _split_long_document(
    file: InputFile, held: bytes, blocks: Iterator[bytes], separator: bytes, offset: int
) -> Generator[DocumentChunk, None, tuple[int, bytes]]:
    """Yield the chunks of a document; return where the next document starts and what has been read of it."""
    decoder = Utf8Decoder(file, offset)
    num_kept = len(separator) - 1  # a block may end inside a separator, with at most so many bytes of it
    while True:
        end = held.find(separator)
        block = next(blocks, b"") if end < 0 else b""
        is_last = not block
        num_settled = end if end >= 0 else len(held) if is_last else max(0, len(held) - num_kept)
        for start in range(0, num_settled, READ_BYTES):
            data = held[start : min(start + READ_BYTES, num_settled)]
            yield DocumentChunk(decoder.decode(data), len(data), is_last=False, is_closed=False)
        if is_last:
            yield DocumentChunk(decoder.decode(b"", is_last=True), 0, is_last=True, is_closed=end >= 0)
            num_settled += len(separator) if end >= 0 else 0
            return offset + num_settled, held[num_settled:]
        offset += num_settled
        held = held[num_settled:] + block


def _decode_batch(
    file: InputFile, offset: int, documents: list[bytes], separator_bytes: int, *, is_closed: bool
) -> DocumentBatch:
    texts: list[str] = []
    position = offset
    for document in documents:
        texts.append(decode_at(file, document, position))
        position += len(document) + separator_bytes
    return DocumentBatch(texts, sum(map(len, documents)), is_closed)


def _regroup(chunks: Iterable[bytes], num_bytes: int) -> Iterator[bytes]:
    """The same bytes in blocks of exactly `num_bytes`, except for the last."""
    held: list[bytes] = []
    num_missing = num_bytes
    for data in chunks:
        start = 0
        while len(data) - start >= num_missing:
            stop = start + num_missing
            held.append(data[start:stop])
            yield b"".join(held)
            held, num_missing, start = [], num_bytes, stop
        if start < len(data):
            held.append(data[start:])
            num_missing -= len(data) - start
    if held:
        yield b"".join(held)


def batch_by_size(texts: Iterable[tuple[str, int]], batch_bytes: int) -> Iterator[tuple[list[str], int]]:
    """Group (text, size in bytes) into lists of at least `batch_bytes`, except for the last; with their sizes."""
    batch, num_bytes = list[str](), 0
    for text, text_bytes in texts:
        batch.append(text)
        num_bytes += text_bytes
        if num_bytes >= batch_bytes:
            yield batch, num_bytes
            batch, num_bytes = [], 0
    if batch:
        yield batch, num_bytes


def split_lines(
    file: DecompressedFile, text_key: str, batch_bytes: int, max_document_bytes: int | None
) -> Iterator[DocumentBatch]:
    """The documents of JSON lines: the string under `text_key` of each line's object.

    Blank lines are skipped, as JSON lines readers commonly do.
    """
    has_text = False
    texts = (
        _parse_line(line.removesuffix(b"\n"), text_key, f"{file.file}:{number}")
        for number, line in enumerate(_read_lines(file, max_document_bytes), 1)
        if not line.isspace()
    )
    for documents, num_bytes in batch_by_size(texts, batch_bytes):
        has_text = True
        yield DocumentBatch(documents, num_bytes, is_closed=True)
    if not has_text:
        raise DataError(f"{file.file}: all lines are blank; expected one JSON object a line")


def _read_lines(file: DecompressedFile, max_bytes: int | None) -> Iterator[bytes]:
    """Lines with their line feeds; the last one may lack it."""
    held: list[bytes] = []
    num_held, line_number = 0, 1
    for data in file:
        start = 0
        while end := data.find(b"\n", start) + 1:
            held.append(data[start:end])
            yield b"".join(held)
            held, num_held, start = [], 0, end
            line_number += 1
        if start < len(data):
            held.append(data[start:])
            num_held += len(data) - start
            # A line is held whole: checked before the rest of it is read, which may be much more.
            if max_bytes is not None and num_held > max_bytes:
                raise DataError(
                    f"{file.file}:{line_number}: the line is longer than {max_bytes:,} bytes, the most that the memory "
                    "allowed leaves for a document; allow more memory, or divide the document"
                )
    if held:
        yield b"".join(held)


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
