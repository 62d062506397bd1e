"""Documents that Python has read, as ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from homespun import _native
from homespun.corpus.documents import DocumentBatch, DocumentChunk, Place
from homespun.errors import DataError
from homespun.tokenizer.tokenizer import Tokenizer

Ids = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, kw_only=True)
class EncodedDocuments:
    """Ids of whole documents, or of a part of a long one."""

    place: Place
    """Where the first of the documents starts."""
    num_before: int
    """Ids between that place and the first one here."""
    ids: Ids
    num_bytes: int
    """Bytes that the ids spell, separators included."""
    num_separators: int


@dataclass(frozen=True, kw_only=True)
class DocumentEncoder:
    """Encodes the documents of one file, in which nothing is a special token."""

    tokenizer: Tokenizer
    separator: str
    """What is put after every document that is closed."""
    token_bytes: npt.NDArray[np.uint32]
    """How many bytes each id spells."""
    closes_end: bool
    """Whether it is put after the file's last document even where that one is not."""
    num_threads: int

    def encode(self, segments: Iterator[DocumentBatch | DocumentChunk]) -> Iterator[EncodedDocuments]:
        """The ids of all segments, a block or more for each.

        Raises:
            DataError: the tokenizer's pattern leaves text out.
            TokenizerError: a text cannot be encoded.
        """
        for segment in segments:
            if isinstance(segment, DocumentBatch):
                yield self._encode_batch(segment)
            else:
                yield from self._encode_long_document(segment, segments)

    def _encode_batch(self, batch: DocumentBatch) -> EncodedDocuments:
        ids, num_bytes, num_separators = _native.encode_documents(
            self.tokenizer.core,
            batch.documents,
            (self.separator, self._separator_id),
            closes_last=batch.is_closed or self.closes_end,
            num_threads=self.num_threads,
        )
        return EncodedDocuments(
            place=batch.place, num_before=0, ids=ids, num_bytes=num_bytes, num_separators=num_separators
        )

    def _encode_long_document(
        self, first: DocumentChunk, segments: Iterator[DocumentBatch | DocumentChunk]
    ) -> Iterator[EncodedDocuments]:
        """Ids of the document that begins with `first` and goes on with the next of `segments`, which it takes."""
        last, bytes_in, bytes_out, num_before = first, 0, 0, 0

        def texts() -> Iterator[str]:
            nonlocal last, bytes_in
            for segment in chain([first], segments):
                assert isinstance(segment, DocumentChunk), (
                    "fragments come one after another, up to the last of a document"
                )
                last = segment
                bytes_in += segment.num_bytes
                yield segment.text
                if segment.is_last:
                    return

        for ids in self.tokenizer.encode_stream(texts(), "text"):
            block = self._measure(first.place, num_before, ids)
            num_before += len(ids)
            bytes_out += block.num_bytes
            yield block
        if bytes_out != bytes_in:
            raise DataError(
                f"the tokens spell {bytes_out:,} bytes of {bytes_in:,}: this tokenizer's pattern leaves text out; "
                "train one whose pattern matches every character"
            )
        if last.is_closed or self.closes_end:
            yield self._measure(first.place, num_before, np.array([self._separator_id], np.uint32))

    def _measure(self, place: Place, num_before: int, ids: npt.NDArray[np.uint32]) -> EncodedDocuments:
        return EncodedDocuments(
            place=place,
            num_before=num_before,
            ids=ids,
            num_bytes=int(self.token_bytes[ids].sum(dtype=np.int64)),
            num_separators=int(np.count_nonzero(ids == self._separator_id)),
        )

    @property
    def _separator_id(self) -> int:
        return self.tokenizer.special_tokens[self.separator]
