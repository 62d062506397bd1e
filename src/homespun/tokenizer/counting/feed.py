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
"""Called with the bytes of one range that are done."""


def feed(counter: _native.Counter, ranges: Sequence[FileRange], text_key: str, on_progress: ProgressCallback) -> None:
    """Count `ranges` one after another, each on all of the counter's threads.

    Args:
        counter: The counter to feed.
        ranges: What to count.
        text_key: The key of a JSON line's text, or the column of a parquet file's.
        on_progress: Called with bytes of the ranges done, and in all.

    Raises:
        DataError: a file is damaged, not UTF-8, or became shorter; with the offset, line or row.
    """
    total, before = sum(file_range.num_bytes for file_range in ranges), 0
    for file_range in ranges:
        _feed_range(counter, file_range, text_key, lambda done, before=before: on_progress(before + done, total))
        before += file_range.num_bytes


def _feed_range(counter: _native.Counter, file_range: FileRange, text_key: str, report: _Report) -> None:
    """Count one range: special tokens are removed from text, and are ordinary text in JSON lines and parquet."""
    file, start, end = file_range.file, file_range.start, file_range.end
    if file.plain_path is not None:
        # Read by the core's own threads. Everything else is read on this one, while they count what came before.
        reached = counter.count_file(file.plain_path, start, end, lambda offset, _: report(offset - start))
        if reached < end:
            raise DataError(f"{file}: ends at byte {reached:,}, but had {end:,} when counting began; count it again")
    elif file.kind == "text":
        counter.count_text(_read_chunks(file_range, report), str(file))
    else:
        counter.count_documents(_read_documents(file_range, text_key, report))


def _read_chunks(file_range: FileRange, report: _Report) -> Iterator[bytes]:
    chunks = DecompressedFile(file_range.file)
    for chunk in chunks:
        yield chunk
        report(chunks.consumed_bytes)


def _read_documents(file_range: FileRange, text_key: str, report: _Report) -> Iterator[list[str]]:
    # The separator divides text files alone, which do not get here.
    reader = DocumentReader(file_range.file, separator="\n", text_key=text_key, batch_bytes=_BATCH_BYTES)
    for batch in reader:
        assert isinstance(batch, DocumentBatch), "only text files have documents that are not held whole"
        yield batch.documents
        report(reader.consumed_bytes)
