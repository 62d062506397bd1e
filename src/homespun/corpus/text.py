"""Documents of plain text: what stands between separators.

Files are split as bytes, which UTF-8 allows, so that every document's place in the file is known and reading can be
taken up again there.
"""

from collections.abc import Generator, Iterable, Iterator

from homespun.corpus.decoding import Utf8Decoder, decode_at
from homespun.corpus.inputs import InputFile
from homespun.corpus.pieces import PIECE_BYTES, BytePieces
from homespun.corpus.segments import Batch, Fragment, Place


def split_text(pieces: BytePieces, separator: bytes, batch_bytes: int, start: Place) -> Iterator[Batch | Fragment]:
    """The documents of `pieces`, which begin at `start`: what `text.split(separator)` gives.

    Except that nothing after a closing separator is no document.
    """
    file, offset = pieces.file, start.offset
    blocks = _regroup(pieces, batch_bytes)
    held = b""
    while True:
        *documents, held = held.split(separator)
        if documents:
            yield _decode_batch(file, offset, documents, len(separator), is_closed=True)
            offset += sum(map(len, documents)) + len(separator) * len(documents)
        if len(held) > batch_bytes:
            offset, held = yield from _split_long_document(file, held, blocks, separator, offset)
            continue
        block = next(blocks, b"")
        if not block:
            break
        held += block
    if held:
        yield _decode_batch(file, offset, [held], len(separator), is_closed=False)


def _split_long_document(
    file: InputFile, held: bytes, blocks: Iterator[bytes], separator: bytes, offset: int
) -> Generator[Fragment, None, tuple[int, bytes]]:
    """Yield a document's parts; return where the next document starts and what has been read of it."""
    place = Place(offset)
    decoder = Utf8Decoder(file, offset)
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


def _decode_batch(
    file: InputFile, offset: int, documents: list[bytes], separator_bytes: int, *, is_closed: bool
) -> Batch:
    texts: list[str] = []
    position = offset
    for document in documents:
        texts.append(decode_at(file, document, position))
        position += len(document) + separator_bytes
    return Batch(Place(offset), texts, sum(map(len, documents)), is_closed)


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
