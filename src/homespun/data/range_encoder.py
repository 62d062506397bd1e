"""Encode file ranges: text in, blocks of token ids out, in order and in bounded memory."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from homespun import _native
from homespun.cluster import Report
from homespun.corpus.division import FileRange
from homespun.corpus.documents import DocumentBatch
from homespun.corpus.reader import read_batches
from homespun.data.shard import Ids, id_dtype
from homespun.errors import ConfigError
from homespun.tokenizer.tokenizer import Tokenizer

CHUNK_BYTES = 1 << 18
"""Bytes of text that a thread encodes at a time."""
BATCH_BYTES = 4 << 20
"""Bytes of documents of files that Python reads, encoded at a time, for each thread."""

Block = tuple[Ids, int, int]
"""Consecutive ids, in the type in which they are stored; the bytes of their text; how many of them are separators."""
OnBlock = Callable[[Ids, int, int], None]
_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class RangeEncoder:
    """Encodes file ranges one after another.

    In text the separator becomes its token, and nothing else becomes a special token. A separator follows every JSON
    line and every parquet row. A document never continues into the next file: where a file with another one after it
    ends without a separator, one is added.

    Raises:
        ConfigError: the separator is not a special token of this tokenizer.
    """

    tokenizer: Tokenizer
    separator: str
    """The special token between documents."""
    text_key: str
    num_threads: int

    def __post_init__(self) -> None:
        if self.separator not in self.tokenizer.special_tokens:
            known = ", ".join(self.tokenizer.special_tokens) or "none"
            raise ConfigError(
                f"the separator {self.separator!r} is not a special token of this tokenizer (its special tokens: "
                f"{known}); name one of them, or train a tokenizer with this one"
            )

    @property
    def separator_id(self) -> int:
        return self.tokenizer.special_tokens[self.separator]

    @property
    def _id_bytes(self) -> int:
        return id_dtype(self.tokenizer.vocab_size).itemsize

    @cached_property
    def token_bytes(self) -> npt.NDArray[np.uint32]:
        """The number of bytes of each id's text; 0 for ids that no token has."""
        vocab = self.tokenizer.vocab
        lengths = np.zeros(self.tokenizer.vocab_size, np.dtype("<u4"))
        lengths[np.fromiter(vocab, np.int64)] = np.fromiter(map(len, vocab.values()), np.uint32)
        return lengths

    def encode(
        self,
        ranges: Sequence[FileRange],
        *,
        closes_last: bool,
        on_block: OnBlock,
        report: Report,
    ) -> None:
        """Encode `ranges`, while threads encode what follows.

        Args:
            ranges: File ranges; where there are several, all but the first begin and all but the last end a file.
            closes_last: Whether a separator is added where the last one does not end in one.
            on_block: Called with each `Block`, in order.
            report: Called with the bytes of the files read so far, as stored.

        Raises:
            HomespunError: as `homespun.corpus.read_documents`; TokenizerError where a text cannot be encoded.
        """
        num_before = 0
        # Consecutive plain texts are encoded in one call, so that no thread waits at the end of a small file; every
        # other file is a call of its own.
        calls = groupby(enumerate(ranges), lambda item: -1 if item[1].file.plain_path is not None else item[0])
        for key, items in calls:
            indices, called = zip(*items, strict=True)
            encode = self._encode_plain if key < 0 else self._encode_documents
            encode(
                called,
                closes_last or indices[-1] + 1 < len(ranges),
                on_block,
                lambda done, before=num_before: report(before + done),
            )
            num_before += sum(each.num_bytes for each in called)

    def _encode_plain(self, ranges: Sequence[FileRange], closes_last: bool, on_block: OnBlock, report: Report) -> None:
        """Plain text is read and split in Rust: only its ids pass through Python."""
        paths: list[Path] = [path for each in ranges if (path := each.file.plain_path) is not None]
        read_before = [*accumulate((each.num_bytes for each in ranges), initial=0)]

        def take(place: tuple[int, int, int], ids: Ids, counts: tuple[int, int]) -> None:
            index, _, end = place
            on_block(ids, *counts)
            report(read_before[index] + end - ranges[index].start)

        _native.encode_text_files(
            self.tokenizer.core,
            paths,
            ranges[0].start,
            ranges[-1].end,
            (self.separator, self.separator_id),
            closes_last=closes_last,
            num_threads=self.num_threads,
            chunk_bytes=CHUNK_BYTES,
            id_bytes=self._id_bytes,
            on_block=take,
        )

    def _encode_documents(
        self, ranges: Sequence[FileRange], closes_last: bool, on_block: OnBlock, report: Report
    ) -> None:
        """Other files are read in Python, while what was read before is encoded, and the ids before that are used."""
        (file,) = (each.file for each in ranges)
        batches = read_batches(
            file, separator=self.separator, text_key=self.text_key, batch_bytes=BATCH_BYTES * self.num_threads
        )
        for block, consumed_bytes in _ahead(self._blocks(_ahead(batches), closes_last)):
            on_block(*block)
            report(consumed_bytes)

    def _blocks(self, batches: Iterator[DocumentBatch], closes_last: bool) -> Iterator[tuple[Block, int]]:
        """The ids of `batches`, and the bytes of the file that were read by then."""
        for batch in batches:
            if batch.continues:
                batch = yield from self._blocks_of_long_document(batch, batches)
            block = _native.encode_documents(
                self.tokenizer.core,
                batch.documents,
                (self.separator, self.separator_id),
                closes_last=batch.is_closed or closes_last,
                num_threads=self.num_threads,
                id_bytes=self._id_bytes,
            )
            yield block, batch.consumed_bytes

    def _blocks_of_long_document(
        self, first: DocumentBatch, following: Iterator[DocumentBatch]
    ) -> Generator[tuple[Block, int], None, DocumentBatch]:
        """Ids of the document that `first` begins; return the batch in which it ends, with "" in its place."""
        last = first

        def texts() -> Iterator[str]:
            nonlocal last
            for last in chain([first], following):
                text = last.documents[0]
                # In slices, so that the array of ids of each is small.
                yield from (text[start : start + CHUNK_BYTES] for start in range(0, len(text), CHUNK_BYTES))
                if not last.continues:
                    return

        for ids in self.tokenizer.encode_stream(texts(), "text"):
            yield (ids, int(self.token_bytes[ids].sum(dtype=np.int64)), 0), last.consumed_bytes
        return replace(last, documents=["", *last.documents[1:]])


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items; the next one is made on another thread while one is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item
