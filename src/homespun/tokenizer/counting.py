"""A corpus on its way into a counter, part by part, with places at which the work can be taken up again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from homespun import _native
from homespun.corpus.decoding import DecompressedFile
from homespun.corpus.documents import DocumentBatch, Place
from homespun.corpus.reader import DocumentReader
from homespun.errors import DataError
from homespun.progress import ProgressCallback
from homespun.tokenizer.parts import Part

CHUNK_BYTES = 1 << 18
"""Text that a thread reads at a time: enough to hide the reading, little enough to stay near the processor."""

SEGMENT_BYTES = 1 << 30
"""Text between two places: what an interruption can cost, against a file written and a moment's wait for each."""

_BATCH_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A place in a list of parts: all before it is counted, nothing after it."""

    part_index: int = 0
    offset: int = 0
    """Bytes of (decompressed) text between the part's beginning and the place."""
    line: int = 1
    """The number of the line there, in JSON lines, or of the row, in parquet."""


class Counting:
    """Feeds parts to a counter.

    Plain text on this machine is read by the core's threads; everything else is read here, while they count what came
    before. Text is cut at special tokens; in the documents of JSON lines and parquet they are ordinary text.
    """

    def __init__(
        self,
        counter: _native.Counter,
        parts: Sequence[Part],
        text_key: str,
        on_progress: ProgressCallback,
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Prepare to count.

        Args:
            counter: What is fed.
            parts: What it is fed with, in order.
            text_key: The key of a JSON line's text, or the column of a parquet file's.
            on_progress: Told bytes of the files done, of those in all.
            segment_bytes: About how many bytes of text to count between two places.
        """
        self._counter = counter
        self._parts = parts
        self._text_key = text_key
        self._on_progress = on_progress
        self._segment_bytes = segment_bytes
        self._num_left = segment_bytes  # bytes of text until the next place
        self._num_before = 0  # bytes of the parts before this one
        self._num_bytes = sum(part.end - part.start for part in parts)

    def run(self, cursor: Cursor | None = None) -> Iterator[Cursor]:
        """Count everything from `cursor` on; yields where it is after about every `segment_bytes` of text.

        Raises:
            DataError: a file is damaged, not UTF-8, or became shorter meanwhile; with the offset, line or row.
        """
        cursor = cursor or Cursor()
        for index, part in enumerate(self._parts):
            if index >= cursor.part_index:
                start = cursor if index == cursor.part_index else Cursor(part_index=index)
                yield from self._count_part(part, start)
            self._num_before += part.end - part.start

    def _count_part(self, part: Part, start: Cursor) -> Iterator[Cursor]:
        if part.file.plain_path is not None:
            return self._count_plain(part, start)
        if part.file.kind == "text":
            return self._count_stream(part, start)
        return self._count_documents(part, start)

    def _count_plain(self, part: Part, start: Cursor) -> Iterator[Cursor]:
        path = part.file.plain_path
        assert path is not None
        offset = part.start + start.offset
        while offset < part.end:
            reached = self._counter.count_file(
                path, offset, part.end, self._num_left, lambda done, _: self._report(done - part.start)
            )
            if reached == offset:
                raise DataError(f"{part.file}: became shorter while it was counted; begin anew")
            if self._is_segment_full(reached - offset):
                yield Cursor(part_index=start.part_index, offset=reached - part.start)
            offset = reached

    def _count_stream(self, part: Part, start: Cursor) -> Iterator[Cursor]:
        pieces = DecompressedFile(part.file, start.offset)
        iterator = self._watched(pieces)
        offset, rest = start.offset, b""
        while rest is not None:
            reached, rest = self._counter.count_text(chain([rest], iterator), str(part.file), offset, self._num_left)
            if self._is_segment_full(reached - offset):
                yield Cursor(part_index=start.part_index, offset=reached)
            offset = reached

    def _watched(self, pieces: DecompressedFile) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self._report(pieces.consumed_bytes)

    def _count_documents(self, part: Part, start: Cursor) -> Iterator[Cursor]:
        reader = DocumentReader(
            part.file,
            separator="\n",  # text alone is divided by it
            text_key=self._text_key,
            batch_bytes=_BATCH_BYTES,
            start=Place(start.offset, start.line),
        )
        batches = (segment for segment in reader if isinstance(segment, DocumentBatch))  # only text has other segments
        following = next(batches, None)
        num_bytes = 0

        def take_segment() -> Iterator[list[str]]:
            nonlocal following, num_bytes
            while following is not None and num_bytes < self._num_left:
                yield following.documents
                num_bytes += following.num_bytes
                following = next(batches, None)
                self._report(reader.consumed_bytes)

        while following is not None:
            num_bytes = 0
            self._counter.count_documents(take_segment())
            if self._is_segment_full(num_bytes):
                yield _cursor_at(following, start.part_index)

    def _report(self, done: int) -> None:
        self._on_progress(self._num_before + done, self._num_bytes)

    def _is_segment_full(self, num_bytes: int) -> bool:
        self._num_left -= num_bytes
        if self._num_left > 0:
            return False
        self._num_left = self._segment_bytes
        return True


def _cursor_at(following: DocumentBatch | None, part_index: int) -> Cursor:
    """The place before a batch, or after the part where there is none."""
    if following is None:
        return Cursor(part_index=part_index + 1)
    return Cursor(part_index=part_index, offset=following.place.offset, line=following.place.line)
