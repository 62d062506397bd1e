"""Documents of parquet files: the strings of one column."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from homespun.corpus.documents import DocumentBatch
from homespun.corpus.inputs import InputFile
from homespun.errors import DataError, HomespunError, MissingPackageError

if TYPE_CHECKING:
    from pyarrow import Array
    from pyarrow.parquet import ParquetFile

_MAX_ROWS_AT_ONCE = 4096
# pre_buffer=False with a buffer of this size: column chunks are read in steps and not whole.
_READING = {"buffer_size": 1 << 20, "pre_buffer": False, "page_checksum_verification": True}


class ParquetRows:
    """Iterates over the documents of a parquet file, one a row, in memory bounded by a few of them.

    Raises on iteration:
        MissingPackageError: pyarrow is not installed.
        MissingFileError: there is no such file.
        DataError: it is not a parquet file, damaged, empty, or has no text in the column.
        DownloadError: it is behind a URL that cannot be read.
    """

    def __init__(self, file: InputFile, text_key: str, batch_bytes: int) -> None:
        """Name the file; it is opened when iterated.

        Args:
            file: The file.
            text_key: The column that holds the text.
            batch_bytes: About how many bytes of documents to hold at a time.
        """
        self.file = file
        self.consumed_bytes = 0
        """The file's bytes times the fraction of its rows that were read so far."""
        self._text_key = text_key
        self._batch_bytes = batch_bytes

    def __iter__(self) -> Iterator[DocumentBatch]:
        file_bytes = self.file.state().num_bytes
        with self._open() as table:
            num_rows = table.metadata.num_rows
            if not num_rows:
                raise DataError(f"{self.file}: the file has no rows; expected text")
            num_before, documents, num_bytes = 0, list[str](), 0
            for text in self._texts(table):
                documents.append(text)
                num_bytes += len(text.encode())
                if num_bytes >= self._batch_bytes:
                    num_before += len(documents)
                    self.consumed_bytes = file_bytes * num_before // num_rows
                    yield DocumentBatch(documents, num_bytes, is_closed=True)
                    documents, num_bytes = [], 0
            self.consumed_bytes = file_bytes
            if documents:
                yield DocumentBatch(documents, num_bytes, is_closed=True)

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
            except (pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError, OverflowError) as error:
                # The operating system's errors have a number; those without are pyarrow's, about what it read.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise DataError(
                    f"{self.file}: not parquet, truncated or damaged ({_one_line(error)}); download it again"
                ) from error

    def _texts(self, table: "ParquetFile") -> Iterator[str]:
        """The column's strings."""
        self._check_column(table)
        row = 1
        for index in range(table.num_row_groups):
            for batch in table.iter_batches(
                batch_size=self._rows_at_once(table, index),
                row_groups=[index],
                columns=[self._text_key],
                use_threads=False,
            ):
                yield from self._strings(batch.column(0), row)
                row += batch.num_rows

    def _rows_at_once(self, table: "ParquetFile", index: int) -> int:
        """How many rows of a row group have about `batch_bytes` of text."""
        group = table.metadata.row_group(index)
        rows = self._batch_bytes * group.num_rows // max(1, group.total_byte_size)
        longest = self._longest_dictionary_value(table, index)
        return max(1, min(rows, _MAX_ROWS_AT_ONCE, self._batch_bytes // longest if longest else rows))

    def _longest_dictionary_value(self, table: "ParquetFile", index: int) -> int:
        """Bytes of the longest string in a row group's dictionary, 0 without one.

        A dictionary stores a string once that a million rows may have, so that the size of the row group in the file
        says nothing about its text: 382 bytes can hold 3 GB.
        """
        from pyarrow import DictionaryArray, compute
        from pyarrow.parquet import ParquetFile

        group = table.metadata.row_group(index)
        columns = [group.column(number) for number in range(group.num_columns)]
        encodings = next((column.encodings for column in columns if column.path_in_schema == self._text_key), ())
        if not any("DICTIONARY" in encoding for encoding in encodings):
            return 0
        with self.file.open() as stream, ParquetFile(stream, read_dictionary=[self._text_key], **_READING) as undecoded:
            # One row brings the whole dictionary with it, and no more than that.
            batches = undecoded.iter_batches(1, row_groups=[index], columns=[self._text_key], use_threads=False)
            column = next(batches).column(0)
            if not isinstance(column, DictionaryArray):
                return 0
            lengths = compute.call_function("binary_length", [column.dictionary]).to_pylist()
            return max((length or 0 for length in lengths), default=0)

    def _check_column(self, table: "ParquetFile") -> None:
        from pyarrow import types

        schema = table.schema_arrow
        if (num_columns := schema.names.count(self._text_key)) > 1:
            raise DataError(
                f"{self.file}: {num_columns} columns are called {self._text_key!r}; write the file again with one"
            )
        if not num_columns:
            columns = ", ".join(schema.names) or "none"
            raise DataError(
                f"{self.file}: no column {self._text_key!r}; the columns here are {columns}; name the right one"
            )
        kind = schema.field(self._text_key).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
            raise DataError(f"{self.file}: the column {self._text_key!r} holds {kind}, expected string; name another")

    def _strings(self, column: "Array", first_row: int) -> list[str]:
        try:
            texts = column.to_pylist()
        except UnicodeDecodeError as error:
            row = first_row + _find_invalid(column)
            raise DataError(
                f"{self.file}: row {row}: invalid UTF-8 at byte {error.start} of the text; convert it to UTF-8"
            ) from error
        if column.null_count:
            row = first_row + texts.index(None)
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
