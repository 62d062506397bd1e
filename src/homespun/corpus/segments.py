"""A file's documents in order, in memory bounded by a stated size even where one document is longer than it.

Files are split as bytes, which UTF-8 allows, so that every document's place in the file is known and reading can be
taken up again there.
"""

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from homespun.corpus.decoding import Utf8Decoder, decode_at
from homespun.corpus.pieces import PIECE_BYTES, BytePieces
from homespun.errors import ConfigError, DataError

_JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Place:
    """Where a document starts in a file."""

    offset: int = 0
    """Bytes of decompressed text before it."""
    line: int = 1
    """The number of its line, in files of JSON lines; 1 elsewhere."""


@dataclass(frozen=True)
class Batch:
    """Whole documents, one after another."""

    place: Place
    documents: list[str]
    num_bytes: int
    """Bytes of the documents, without separators."""
    is_closed: bool
    """Whether the last one ends in a separator; the others do."""


@dataclass(frozen=True)
class Fragment:
    """A part of a document too long to be held whole, cut anywhere between two characters."""

    place: Place
    """Where the document starts, not the part."""
    text: str
    num_bytes: int
    is_last: bool
    is_closed: bool
    """Whether a separator follows; false for all parts but the last."""


def is_json_lines(path: Path) -> bool:
    """Whether `path` holds one JSON object a line, by its name, compressed or not."""
    name = path.with_suffix("") if path.suffix.lower() in (".gz", ".zst") else path
    return name.suffix.lower() in _JSON_LINES


def read_segments(
    path: str | PathLike[str],
    *,
    separator: str,
    text_key: str,
    batch_bytes: int,
    start: Place | None = None,
    pieces: BytePieces | None = None,
) -> Iterator[Batch | Fragment]:
    """Read the documents of a text file or a file of JSON lines from `start` on.

    In text, documents are what `text.split(separator)` gives, except that nothing after a closing separator is no
    document. In JSON lines every line is one and counts as closed.

    Args:
        path: A text file, or .jsonl; either one also as .gz or .zst.
        separator: What stands between documents in text.
        text_key: The key of a JSON line's text.
        batch_bytes: About how many bytes of documents to hold at a time.
        start: Where to take up reading: a `place` that an earlier reading gave.
        pieces: The file's bytes from `start` on, for callers that watch how far the reading is.

    Raises:
        ConfigError: the separator is empty.
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated, or not what its name says; with the byte offset or line.
    """
    if not separator:
        raise ConfigError("the separator is empty; name the text that stands between documents, such as <|endoftext|>")
    start = start or Place()
    pieces = pieces or BytePieces(path, start.offset)
    if is_json_lines(Path(path)):
        return _split_lines(pieces, text_key, batch_bytes, start)
    return _split_text(pieces, separator.encode(), batch_bytes, start)


def _split_text(pieces: BytePieces, separator: bytes, batch_bytes: int, start: Place) -> Iterator[Batch | Fragment]:
    path, offset = pieces.path, start.offset
    blocks = _regroup(pieces, batch_bytes)
    held = b""
    while True:
        *documents, held = held.split(separator)
        if documents:
            yield _decode_batch(path, offset, documents, len(separator), is_closed=True)
            offset += sum(map(len, documents)) + len(separator) * len(documents)
        if len(held) > batch_bytes:
            offset, held = yield from _split_long_document(path, held, blocks, separator, offset)
            continue
        block = next(blocks, b"")
        if not block:
            break
        held += block
    if held:
        yield _decode_batch(path, offset, [held], len(separator), is_closed=False)


def _split_long_document(
    path: Path, held: bytes, blocks: Iterator[bytes], separator: bytes, offset: int
) -> Generator[Fragment, None, tuple[int, bytes]]:
    """Yield a document's parts; return where the next document starts and what has been read of it."""
    place = Place(offset)
    decoder = Utf8Decoder(path, offset)
    num_kept = len(separator) - 1  # at most so much of a cut separator stands at the end of a block
    while True:
        end = held.find(separator)
        block = next(blocks, b"") if end < 0 else b""
        is_last = not block
        num_settled = end if end >= 0 else len(held) if is_last else max(0, len(held) - num_kept)
        for start in range(0, num_settled, PIECE_BYTES):
            data = held[start : min(start + PIECE_BYTES, num_settled)]
            yield Fragment(place, decoder.decode(data), len(data), is_last=False, is_closed=False)
        if is_last:
            yield Fragment(place, decoder.decode(b"", is_last=True), 0, is_last=True, is_closed=end >= 0)
            num_settled += len(separator) if end >= 0 else 0
            return offset + num_settled, held[num_settled:]
        offset += num_settled
        held = held[num_settled:] + block


def _decode_batch(path: Path, offset: int, documents: list[bytes], separator_bytes: int, *, is_closed: bool) -> Batch:
    texts: list[str] = []
    position = offset
    for document in documents:
        texts.append(decode_at(path, document, position))
        position += len(document) + separator_bytes
    return Batch(Place(offset), texts, sum(map(len, documents)), is_closed)


def _split_lines(pieces: BytePieces, text_key: str, batch_bytes: int, start: Place) -> Iterator[Batch]:
    place, documents, num_bytes = start, list[str](), 0
    offset, line_number = start.offset, start.line
    for line in _read_lines(pieces):
        text, text_bytes = _parse_line(line.removesuffix(b"\n"), text_key, f"{pieces.path}:{line_number}")
        documents.append(text)
        num_bytes += text_bytes
        offset, line_number = offset + len(line), line_number + 1
        if num_bytes >= batch_bytes:
            yield Batch(place, documents, num_bytes, is_closed=True)
            place, documents, num_bytes = Place(offset, line_number), [], 0
    if documents:
        yield Batch(place, documents, num_bytes, is_closed=True)


def _read_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their line feeds; the last one may lack it."""
    parts: list[bytes] = []
    for piece in pieces:
        start = 0
        while end := piece.find(b"\n", start) + 1:
            parts.append(piece[start:end])
            yield b"".join(parts)
            parts, start = [], end
        if start < len(piece):
            parts.append(piece[start:])
    if parts:
        yield b"".join(parts)


def _parse_line(line: bytes, text_key: str, where: str) -> tuple[str, int]:
    """The text of a line and its size in bytes."""
    try:
        document = json.loads(line)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: invalid UTF-8 at byte {error.start} of the line; convert the file to UTF-8"
        ) from error
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}); every line must hold one JSON object") from error
    if not isinstance(document, dict):
        raise DataError(f"{where}: expected a JSON object with the key {text_key!r}, got {line[:60].decode()!r}")
    if not isinstance(document.get(text_key), str):
        keys = ", ".join(document) or "none"
        raise DataError(f"{where}: no text under the key {text_key!r}; the keys here are {keys}; name the right one")
    text = document[text_key]
    try:
        return text, len(text.encode())
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: lone surrogate \\u{ord(text[error.start]):04x} at character {error.start} of the text; "
            "it is half a character and stands for nothing; remove it"
        ) from error


def _regroup(pieces: Iterable[bytes], num_bytes: int) -> Iterator[bytes]:
    """The same bytes in blocks of exactly `num_bytes`, but for the last."""
    parts: list[bytes] = []
    num_missing = num_bytes
    for piece in pieces:
        start = 0
        while len(piece) - start >= num_missing:
            stop = start + num_missing
            parts.append(piece[start:stop])
            yield b"".join(parts)
            parts, num_missing, start = [], num_bytes, stop
        if start < len(piece):
            parts.append(piece[start:])
            num_missing -= len(piece) - start
    if parts:
        yield b"".join(parts)
