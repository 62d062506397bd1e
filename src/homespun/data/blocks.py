"""Text files in, blocks of token ids out, each with the place it came from."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from homespun.corpus.inputs import InputFile
from homespun.corpus.reader import SegmentReader
from homespun.corpus.segments import Batch, Fragment, Place
from homespun.data.dataset import check_ids
from homespun.errors import DataError
from homespun.tokenizer.tokenizer import Tokenizer

Ids = npt.NDArray[np.uint32]

_BLOCK_TOKENS = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive ids of one input."""

    input_index: int
    place: Place
    """The start of a document, at or before the first of the ids."""
    num_before: int
    """Ids between that place and the first one here."""
    ids: Ids
    consumed_bytes: int
    """Bytes of all inputs read so far, as they lie on the disk."""


@dataclass(frozen=True, kw_only=True)
class CorpusEncoder:
    """Encodes files one after another.

    In text the separator becomes its token, and nothing else becomes a special one. After every JSON line and every
    parquet row a separator stands. No document runs on from one file into the next: where a file but the last ends
    without a separator, one is put.
    """

    tokenizer: Tokenizer
    inputs: Sequence[InputFile]
    separator: str
    text_key: str
    token_bytes: npt.NDArray[np.uint32]
    """How many bytes each id spells."""
    batch_bytes: int
    """Documents encoded at a time; a longer one is encoded while it is read, on one thread."""
    num_threads: int | None
    """None: one a core."""

    def blocks(self, first_input: int, start: Place) -> Iterator[Block]:
        """All ids from a place on that an earlier block gave; the next block is made while the last one is used."""
        blocks = self._encode_inputs(first_input, start)
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(next, blocks, None)
            while (block := future.result()) is not None:
                future = pool.submit(next, blocks, None)
                yield block

    def _encode_inputs(self, first_input: int, start: Place) -> Iterator[Block]:
        read_before = sum(file.state().num_bytes for file in self.inputs[:first_input])
        for index in range(first_input, len(self.inputs)):
            segments = SegmentReader(
                self.inputs[index],
                separator=self.separator,
                text_key=self.text_key,
                batch_bytes=self.batch_bytes,
                start=start,
            )
            for place, num_before, ids in self._encode_file(segments, closes_end=index < len(self.inputs) - 1):
                yield Block(
                    input_index=index,
                    place=place,
                    num_before=num_before,
                    ids=ids,
                    consumed_bytes=read_before + segments.consumed_bytes,
                )
            read_before += segments.consumed_bytes
            start = Place()

    def _encode_file(self, segments: SegmentReader, *, closes_end: bool) -> Iterator[tuple[Place, int, Ids]]:
        for segment in segments:
            if isinstance(segment, Batch):
                yield segment.place, 0, self._encode_batch(segment, closes_end=closes_end)
                continue
            num_before = 0
            for ids in self._encode_long_document(segment, segments, closes_end=closes_end):
                yield segment.place, num_before, ids
                num_before += len(ids)

    def _encode_batch(self, batch: Batch, *, closes_end: bool) -> Ids:
        separator = self._separator_ids()
        arrays: list[Ids] = []
        for ids in self.tokenizer.encode_batch(batch.documents, "text", num_threads=self.num_threads):
            arrays += ids, separator
        num_separators = len(batch.documents)
        if not (batch.is_closed or closes_end):
            arrays.pop()
            num_separators -= 1
        ids = np.concatenate(arrays)
        check_ids(ids, len(self.token_bytes), where="encoding")
        num_bytes = self._count_bytes(ids) - num_separators * self._count_bytes(separator)
        self._check_complete(num_bytes, batch.num_bytes)
        return ids

    def _encode_long_document(
        self, first: Fragment, segments: Iterator[Batch | Fragment], *, closes_end: bool
    ) -> Iterator[Ids]:
        """Ids of the document that begins with `first` and goes on with the next of `segments`, which it takes."""
        last, bytes_in, bytes_out = first, 0, 0

        def texts() -> Iterator[str]:
            nonlocal last, bytes_in
            for segment in chain([first], segments):
                assert isinstance(segment, Fragment), "fragments come one after another, up to the last of a document"
                last = segment
                bytes_in += segment.num_bytes
                yield segment.text
                if segment.is_last:
                    return

        stream = self.tokenizer.encode_iterable(texts(), "text")
        while len(ids := np.fromiter(islice(stream, _BLOCK_TOKENS), np.uint32)):
            check_ids(ids, len(self.token_bytes), where="encoding")
            bytes_out += self._count_bytes(ids)
            yield ids
        self._check_complete(bytes_out, bytes_in)
        if last.is_closed or closes_end:
            yield self._separator_ids()

    def _separator_ids(self) -> Ids:
        return np.array([self.tokenizer.special_tokens[self.separator]], np.uint32)

    def _count_bytes(self, ids: Ids) -> int:
        return int(self.token_bytes[ids].sum(dtype=np.int64))

    def _check_complete(self, bytes_out: int, bytes_in: int) -> None:
        if bytes_out != bytes_in:
            raise DataError(
                f"the tokens spell {bytes_out:,} bytes of {bytes_in:,}: this tokenizer's pattern leaves text out; "
                "train one whose pattern matches every character"
            )
