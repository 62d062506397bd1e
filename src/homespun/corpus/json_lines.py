"""Documents of JSON lines: the text under a key of the object on each line."""

from collections.abc import Iterable, Iterator

from homespun.corpus.pieces import BytePieces
from homespun.corpus.segments import Batch, Place
from homespun.errors import DataError
from homespun.typed_json import parse_json


def split_lines(pieces: BytePieces, text_key: str, batch_bytes: int, start: Place) -> Iterator[Batch]:
    """The documents of `pieces`, which begin at `start`: the string under `text_key` of each line's JSON object."""
    place, documents, num_bytes = start, list[str](), 0
    offset, line_number = start.offset, start.line
    for line in _read_lines(pieces):
        text, text_bytes = _parse_line(line.removesuffix(b"\n"), text_key, f"{pieces.file}:{line_number}")
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
