"""Documents of parquet files: the strings of one column."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homespun.corpus.documents import DocumentBatch, batch_by_size
from homespun.corpus.inputs import InputFile
from homespun.corpus.parquet_pages import largest_page
from homespun.errors import DataError, HomespunError, MissingPackageError

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

_MAX_ROWS_AT_ONCE = 4096
# pre_buffer=False with a buffer of this size: column chunks are read in steps and not whole.
_READING = {"buffer_size": 1 << 20, "pre_buffer": False, "page_checksum_verification": True}


@dataclass(frozen=True)
class ParquetRows:
    """Iterates over the documents of a parquet file, one a row, in memory bounded by a few of them and one page.

    Iterating raises what `InputFile.open` does, MissingPackageError without pyarrow, and DataError where the file is
    damaged, empty, or not parquet, or has no text in the column, or a page that is too large.
    """

    file: InputFile
    text_key: str
    """The column that holds the text."""
    batch_bytes: int
    """About how many bytes of documents to hold at a time."""
    max_page_bytes: int | None
    """Larger pages (uncompressed), which are held whole, are refused. None: no limit."""

    def __iter__(self) -> Iterator[DocumentBatch]:
        with self._open() as table:
            if not table.metadata.num_rows:
                raise DataError(f"{self.file}: the file has no rows; expected text")
            self._check_column(table)
            yield from batch_by_size(self._texts(table), self.batch_bytes)

    @contextmanager
    def _open(self) -> "Iterator[ParquetFile]":
        try:
            import pyarrow
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise (MissingPackageError.for_import(error, f"{self.file}: a parquet file") or error) from error
        with self.file.open() as stream:
            try:
                with ParquetFile(stream, **_READING) as table:
                    yield table
            except HomespunError:
                raise
            except MemoryError as error:
                raise DataError(f"{self.file}: a page or a document does not fit in memory ({error})") from error
            # Not only pyarrow's own classes: names that are not UTF-8 or stand twice, and metadata that lie about
            # sizes, come as Python's.
            except (
                pyarrow.ArrowException,
                OSError,
                ValueError,
                LookupError,
                TypeError,
                OverflowError,
                RecursionError,
            ) as error:
                # The operating system's errors have a number; those without are pyarrow's, about what it read.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise DataError(
                    f"{self.file}: not parquet, truncated or damaged ({_one_line(error)}); download it again"
                ) from error

    def _texts(self, table: "ParquetFile") -> Iterator[tuple[str, int, int]]:
        """The column's strings, their sizes in bytes, and the fraction of the rows read so far in bytes of the file."""
        num_bytes, num_before = self.file.state().num_bytes, 0
        for index in range(table.num_row_groups):
            group = table.metadata.row_group(index)
            columns = [group.column(number) for number in range(group.num_columns)]
            chunk = next(column for column in columns if column.path_in_schema == self.text_key)
            self._check_pages(chunk, index)
            rows = min(_MAX_ROWS_AT_ONCE, self.batch_bytes * group.num_rows // max(1, group.total_byte_size))
            if any("DICTIONARY" in encoding for encoding in chunk.encodings):
                rows = min(rows, self.batch_bytes // self._longest_dictionary_value(index))
            for batch in self._batches(table, index, max(1, rows)):
                for row, text in enumerate(self._strings(batch.column(0), num_before), num_before + 1):
                    yield text, len(text.encode()), num_bytes * row // table.metadata.num_rows
                num_before += batch.num_rows

    def _batches(self, table: "ParquetFile", index: int, num_rows: int) -> "Iterator[RecordBatch]":
        return table.iter_batches(num_rows, row_groups=[index], columns=[self.text_key], use_threads=False)

    def _check_pages(self, chunk: "ColumnChunkMetaData", index: int) -> None:
        limit = self.max_page_bytes
        if limit is None or chunk.total_uncompressed_size <= limit:
            return
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        with self.file.open() as stream:
            page_bytes = largest_page(stream, start, start + chunk.total_compressed_size)
        if page_bytes > limit:
            raise DataError(
                f"{self.file}: row group {index}: a page of {page_bytes:,} bytes is larger than {limit:,}, the most "
                "that the memory allowed leaves for one; allow more memory, or write the file with smaller pages"
            )

    def _longest_dictionary_value(self, index: int) -> int:
        """Bytes of the longest string in a row group's dictionary, at least 1.

        A dictionary stores a string once that a million rows may have, so that the size of the row group in the file
        says nothing about its text: 382 bytes can hold 3 GB.
        """
        from pyarrow import DictionaryArray, compute
        from pyarrow.parquet import ParquetFile

        with self.file.open() as stream, ParquetFile(stream, read_dictionary=[self.text_key], **_READING) as undecoded:
            # One row brings the whole dictionary with it, and no more than that.
            column = next(self._batches(undecoded, index, 1)).column(0)
            if not isinstance(column, DictionaryArray):
                return 1
            lengths = compute.call_function("binary_length", [column.dictionary]).to_pylist()
            return max(1, *(length or 0 for length in lengths))

    def _check_column(self, table: "ParquetFile") -> None:
        from pyarrow import types

        schema = table.schema_arrow
        if (num_columns := schema.names.count(self.text_key)) > 1:
            raise DataError(
                f"{self.file}: {num_columns} columns are called {self.text_key!r}; write the file again with one"
            )
        if not num_columns:
            columns = ", ".join(schema.names) or "none"
            raise DataError(
                f"{self.file}: no column {self.text_key!r}; the columns here are {columns}; name the right one"
            )
        kind = schema.field(self.text_key).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
            raise DataError(f"{self.file}: the column {self.text_key!r} holds {kind}, expected string; name another")

    def _strings(self, column: "Array", num_before: int) -> list[str]:
        try:
            texts = column.to_pylist()
        except UnicodeDecodeError as error:
            row = num_before + 1 + _find_invalid(column)
            raise DataError(
                f"{self.file}: row {row}: invalid UTF-8 at byte {error.start} of the text; convert it to UTF-8"
            ) from error
        if column.null_count:
            row = num_before + 1 + texts.index(None)
            raise DataError(f"{self.file}: row {row}: the text is null; remove the row, or write an empty text")
        return texts


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _find_invalid(column: "Array") -> int:
    """The index of the first value that is not UTF-8."""
    for index, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return index
    raise AssertionError("called for a column that has one")
