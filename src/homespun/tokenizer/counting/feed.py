"""Feed file ranges to a counter."""

from collections.abc import Callable, Iterator, Sequence

from homespun import _native
from homespun.corpus.decoding import DecompressedFile
from homespun.corpus.division import FileRange
from homespun.corpus.documents import DocumentBatch
from homespun.corpus.reader import DocumentReader
from homespun.errors import DataError
from homespun.progress import ProgressCallback

_BATCH_BYTES = 1 << 20

_Report = Callable[[int], None]
"""Called with the number of bytes done in the current range."""


def feed(
    counter: _native.Counter,
    ranges: Sequence[FileRange],
    text_key: str,
    max_document_bytes: int | None,
    on_progress: ProgressCallback,
) -> None:
    """Count `ranges` one after another, each on all of the counter's threads.

    Args:
        counter: The counter to feed.
        ranges: What to count.
        text_key: The key of a JSON line's text, or the column of a parquet file's.
        max_document_bytes: Refuse longer JSON lines and larger parquet pages, which are held whole; None: no limit.
        on_progress: Called with (bytes done, bytes in all) of the ranges.

    Raises:
        DataError: a file is damaged, not UTF-8, or became shorter; with the offset, line or row.
    """
    total, before = sum(file_range.num_bytes for file_range in ranges), 0

    def report(done: int) -> None:
        on_progress(before + done, total)

    for file_range in ranges:
        file, start, end = file_range.file, file_range.start, file_range.end
        if file.plain_path is not None:
            # Read by the core's own threads. All else is read on this thread, while they count the previous batch.
            reached = counter.count_file(
                file.plain_path, start, end, lambda offset, _, start=start: report(offset - start)
            )
            if reached < end:
                raise DataError(f"{file}: ends at byte {reached:,}, but had {end:,} when counting began; count again")
        elif file.kind == "text":
            counter.count_text(_read_chunks(file_range, report), str(file))
        else:
            # Here special tokens are ordinary text. The separator applies to text files only, which are read above.
            reader = DocumentReader(
                file,
                separator="\n",
                text_key=text_key,
                batch_bytes=_BATCH_BYTES,
                max_document_bytes=max_document_bytes,
            )
            counter.count_documents(_read_documents(reader, report))
        before += file_range.num_bytes


def _read_chunks(file_range: FileRange, report: _Report) -> Iterator[bytes]:
    chunks = DecompressedFile(file_range.file)
    for chunk in chunks:
        yield chunk
        report(chunks.consumed_bytes)


def _read_documents(reader: DocumentReader, report: _Report) -> Iterator[list[str]]:
    for batch in reader:
        assert isinstance(batch, DocumentBatch), "only text files have documents that are read in chunks"
        yield batch.documents
        report(reader.consumed_bytes)
