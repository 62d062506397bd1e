"""Count file ranges in memory, or on disk where they exceed a limit."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from homespun import _native
from homespun.corpus.decoding import DecompressedFile
from homespun.corpus.division import FileRange
from homespun.corpus.documents import DocumentBatch
from homespun.corpus.reader import read_batches
from homespun.errors import DataError
from homespun.progress import ProgressCallback
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.counting.options import CountOptions

_BATCH_BYTES = 1 << 20

_DOCUMENT_SHARE = 16
"""The longest JSON line or parquet page allowed takes this fraction of a memory limit."""

_COPIES_OF_A_DOCUMENT = 6
"""Measured 2026-11-27 on one line of 64 MiB, `count_pretokens` on one thread: 5.0 times its size at the peak."""

_Report = Callable[[int], None]
"""Called with the number of bytes done in the current range."""


@dataclass(frozen=True)
class CountJob:
    """How ranges are counted, the same for all of a corpus; picklable.

    Raises:
        ConfigError: the memory limit is below the least that counting needs.
    """

    special_tokens: list[str]
    """Strings that are removed from text; in documents they are ordinary text."""
    regex: str
    """The regular expression that splits text into pre-tokens."""
    options: CountOptions
    python_bytes: int
    """What Python takes of the memory limit."""

    def __post_init__(self) -> None:
        _ = self._memory_bytes  # refused here, before any text is read

    def count(self, ranges: Sequence[FileRange], on_progress: ProgressCallback) -> _native.Counter:
        """Return a counter that has counted `ranges`, one after another, each on all of its threads.

        Args:
            ranges: What to count.
            on_progress: Called with (bytes done, bytes in all) of the ranges.

        Raises:
            DataError: a file is damaged, not UTF-8, or became shorter; with the offset, line or row.
        """
        memory_bytes, max_document_bytes = self._memory_bytes, None
        if memory_bytes is not None and any(file_range.file.kind != "text" for file_range in ranges):
            # A line or page is in memory several times: as bytes, as text, as its documents, as a copy for the core.
            max_document_bytes = memory_bytes // _DOCUMENT_SHARE
            memory_bytes -= _COPIES_OF_A_DOCUMENT * max_document_bytes
        counter = self._make_counter(memory_bytes)
        total, before = sum(file_range.num_bytes for file_range in ranges), 0

        def report(done: int) -> None:
            on_progress(before + done, total)

        for file_range in ranges:
            file, start, end = file_range.file, file_range.start, file_range.end
            if file.plain_path is not None:
                # Read by the core's own threads. All else is read here, while they count the previous batch.
                reached = counter.count_file(
                    file.plain_path, start, end, lambda offset, _, start=start: report(offset - start)
                )
                if reached < end:
                    raise DataError(
                        f"{file}: ends at byte {reached:,}, but had {end:,} when counting began; count again"
                    )
            elif file.kind == "text":
                counter.count_text(_read_chunks(DecompressedFile(file), report), str(file))
            else:
                # The separator applies to text files only, which are read above.
                batches = read_batches(
                    file,
                    separator="\n",
                    text_key=self.options.text_key,
                    batch_bytes=_BATCH_BYTES,
                    max_document_bytes=max_document_bytes,
                )
                counter.count_documents(_read_documents(batches, report))
            before += file_range.num_bytes
        return counter

    def count_texts(self, batches: Iterable[list[str]]) -> _native.Counter:
        """Return a counter that has counted texts in which special tokens are ordinary text."""
        counter = self._make_counter(self._memory_bytes)
        counter.count_documents(batches)
        return counter

    @property
    def _memory_bytes(self) -> int | None:
        return self.options.memory_besides(self.python_bytes)

    def _make_counter(self, memory_bytes: int | None) -> _native.Counter:
        return _native.Counter(
            self.special_tokens,
            self.regex,
            resolve_num_threads(self.options.num_threads),
            self.options.chunk_bytes,
            memory_bytes,
            tempfile.gettempdir() if self.options.spill_dir is None else self.options.spill_dir,
        )


def _read_chunks(chunks: DecompressedFile, report: _Report) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        report(chunks.consumed_bytes)


def _read_documents(batches: Iterable[DocumentBatch], report: _Report) -> Iterator[list[str]]:
    for batch in batches:
        assert not batch.continues, "only text files have documents that are read in several batches"
        yield batch.documents
        report(batch.consumed_bytes)
