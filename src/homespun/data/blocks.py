"""Files in, blocks of token ids out, each with the place it came from."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from homespun import _native
from homespun.corpus.documents import Place
from homespun.corpus.inputs import InputFile
from homespun.corpus.reader import DocumentReader
from homespun.data.document_encoder import DocumentEncoder
from homespun.tokenizer.tokenizer import Tokenizer

CHUNK_BYTES = 1 << 18
"""Text that a thread encodes at a time, where nothing else is asked for."""
BATCH_BYTES = 4 << 20
"""Documents of files that Python reads, encoded at a time, for each thread."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Block:
    """Consecutive ids of one input."""

    input_index: int
    place: Place
    """At or before the first of the ids: encoding the input from here on gives the same ids from here on."""
    num_before: int
    """Ids between that place and the first one here."""
    ids: npt.NDArray[np.unsignedinteger]
    """In the type in which they are stored."""
    num_bytes: int
    """Bytes that the ids spell, separators included."""
    num_separators: int
    consumed_bytes: int
    """Bytes of all inputs read so far, as they are stored."""


@dataclass(frozen=True, kw_only=True)
class CorpusEncoder:
    """Encodes files one after another.

    In text the separator becomes its token, and nothing else becomes a special one. After every JSON line and every
    parquet row a separator stands. No document runs on from one file into the next: where a file but the last ends
    without a separator, one is put.
    """

    tokenizer: Tokenizer
    inputs: Sequence[InputFile]
    input_bytes: Sequence[int]
    """Sizes of the inputs, as they are stored."""
    separator: str
    text_key: str
    token_bytes: npt.NDArray[np.uint32]
    """How many bytes each id spells."""
    chunk_bytes: int
    """Text that a thread encodes at a time; a pre-token longer than that, or a document where the pattern is one of
    the caller's own, is held whole."""
    batch_bytes: int
    """Documents of other files that are encoded at a time; a longer one is encoded while it is read, on one thread."""
    num_threads: int
    end: int | None = None
    """Where to end in the last input, if it is plain text on this machine: at a place that no token crosses."""
    closes_last: bool = False
    """Whether the last input is closed too where it ends without a separator."""

    def encode(self, first_input: int, start: Place, on_block: Callable[[Block], None]) -> None:
        """Give all ids from a place on that an earlier block gave, in order, while threads make the next.

        Raises:
            MissingFileError: an input does not exist.
            DataError: an input is damaged, not UTF-8, or holds text that the tokenizer's pattern leaves out.
            TokenizerError: a text cannot be encoded.
            DownloadError: an input lies behind a URL that cannot be read.
        """
        index = first_input
        while index < len(self.inputs):
            plain = self._plain_paths(index)
            if plain:
                self._encode_text_files(index, plain, start, on_block)
            else:
                self._encode_documents(index, start, on_block)
            index += len(plain) or 1
            start = Place()

    def _plain_paths(self, index: int) -> list[Path]:
        """Of the inputs from `index` on, those that are plain text on this machine, up to the first that is not."""
        paths: list[Path] = []
        for file in self.inputs[index:]:
            if (path := file.plain_path) is None:
                break
            paths.append(path)
        return paths

    def _encode_text_files(
        self, first_input: int, paths: list[Path], start: Place, on_block: Callable[[Block], None]
    ) -> None:
        """Plain text is read and cut in Rust: nothing of it passes through Python but its ids."""
        read_before = [*accumulate(self.input_bytes, initial=0)]

        def take(stretch: tuple[int, int, int], ids: npt.NDArray[np.unsignedinteger], counts: tuple[int, int]) -> None:
            file_index, offset, end = stretch
            on_block(
                Block(
                    input_index=first_input + file_index,
                    place=Place(offset),
                    num_before=0,
                    ids=ids,
                    num_bytes=counts[0],
                    num_separators=counts[1],
                    consumed_bytes=read_before[first_input + file_index] + end,
                )
            )

        _native.encode_text_files(
            self.tokenizer.core,
            paths,
            start.offset,
            self.end if first_input + len(paths) == len(self.inputs) else None,
            (self.separator, self.tokenizer.special_tokens[self.separator]),
            closes_last=self._is_closed(first_input + len(paths) - 1),
            num_threads=self.num_threads,
            chunk_bytes=self.chunk_bytes,
            on_block=take,
        )

    def _is_closed(self, index: int) -> bool:
        """Whether a separator is put where an input ends without one."""
        return self.closes_last or index + 1 < len(self.inputs)

    def _encode_documents(self, index: int, start: Place, on_block: Callable[[Block], None]) -> None:
        """Other files are read in Python, while what was read before is encoded, and that before it used."""
        reader = DocumentReader(
            self.inputs[index],
            separator=self.separator,
            text_key=self.text_key,
            batch_bytes=self.batch_bytes,
            start=start,
        )
        encoder = DocumentEncoder(
            tokenizer=self.tokenizer,
            separator=self.separator,
            token_bytes=self.token_bytes,
            closes_end=self._is_closed(index),
            num_threads=self.num_threads,
        )
        read_before = sum(self.input_bytes[:index])
        for encoded in _ahead(encoder.encode(_ahead(reader))):
            on_block(
                Block(
                    input_index=index,
                    place=encoded.place,
                    num_before=encoded.num_before,
                    ids=encoded.ids,
                    num_bytes=encoded.num_bytes,
                    num_separators=encoded.num_separators,
                    consumed_bytes=read_before + reader.consumed_bytes,
                )
            )


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """The same items; the next one is made on another thread while one is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item
