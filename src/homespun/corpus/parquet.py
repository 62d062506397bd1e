"""Documents of parquet files: the strings of one column."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from homespun.corpus.inputs import InputFile
from homespun.corpus.segments import Batch, Place
from homespun.errors import DataError, HomespunError, MissingPackageError

if TYPE_CHECKING:
    from pyarrow import Array
    from pyarrow.parquet import ParquetFile

_MAX_ROWS_AT_ONCE = 4096
# Column chunks are read through a buffer of this size rather than whole.
_BUFFER_BYTES = 1 << 20


class ParquetRows:
    """Iterates over the documents of a parquet file, a row each, in memory bounded by a few of them.

    Raises on iteration:
        MissingPackageError: pyarrow is not installed.
        MissingFileError: there is no such file.
        DataError: it is no parquet file, damaged, empty, or has no text in the column.
        DownloadError: it lies behind a URL that cannot be read.
    """

    def __init__(self, file: InputFile, text_key: str, batch_bytes: int, start: Place) -> None:
        """Name the file; it is opened when iterated.

        Args:
            file: The file.
            text_key: The column that holds the text.
            batch_bytes: About how many bytes of documents to hold at a time.
            start: The row from which on to read.
        """
        self.file = file
        self.consumed_bytes = 0
        """Of the file's bytes, the share that rows read so far have of all rows."""
        self._text_key = text_key
        self._batch_bytes = batch_bytes
        self._start = start

    def __iter__(self) -> Iterator[Batch]:
        file_bytes = self.file.state().num_bytes
        with self._open() as table:
            num_rows = table.metadata.num_rows
            if not num_rows:
                raise DataError(f"{self.file}: the file has no rows; expected text")
            row, documents, num_bytes = self._start.line, list[str](), 0
            for text in self._texts(table):
                documents.append(text)
                num_bytes += len(text.encode())
                if num_bytes >= self._batch_bytes:
                    self.consumed_bytes = file_bytes * (row + len(documents) - 1) // num_rows
                    yield Batch(Place(line=row), documents, num_bytes, is_closed=True)
                    row, documents, num_bytes = row + len(documents), [], 0
            self.consumed_bytes = file_bytes
            if documents:
                yield Batch(Place(line=row), documents, num_bytes, is_closed=True)

    @contextmanager
    def _open(self) -> "Iterator[ParquetFile]":
        try:
            import pyarrow
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise MissingPackageError(
                f"{self.file}: parquet files need the package pyarrow: pip install 'homespun[scale]'"
            ) from error
        with self.file.open() as stream:
            try:
                with ParquetFile(
                    stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
                ) as table:
                    yield table
            except HomespunError:
                raise
            # UnicodeDecodeError: the name of a column.
            except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
                # The operating system's errors have a number; those without are pyarrow's, about what it read.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise DataError(f"{self.file}: not parquet, truncated or damaged ({error}); fetch it again") from error

    def _texts(self, table: "ParquetFile") -> Iterator[str]:
        """The column's strings from the first row asked for."""
        self._check_column(table)
        row = 1
        for index in range(table.num_row_groups):
            group = table.metadata.row_group(index)
            if row + group.num_rows <= self._start.line:
                row += group.num_rows
                continue
            rows_at_once = self._batch_bytes * group.num_rows // max(1, group.total_byte_size)
            for batch in table.iter_batches(
                batch_size=min(max(1, rows_at_once), _MAX_ROWS_AT_ONCE),
                row_groups=[index],
                columns=[self._text_key],
                use_threads=False,
            ):
                num_skipped = min(max(0, self._start.line - row), batch.num_rows)
                yield from self._strings(batch.column(0).slice(num_skipped), row + num_skipped)
                row += batch.num_rows

    def _check_column(self, table: "ParquetFile") -> None:
        from pyarrow import types

        schema = table.schema_arrow
        if self._text_key not in schema.names:
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


def _find_invalid(column: "Array") -> int:
    """The index of the first value that is not UTF-8."""
    for index, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return index
    raise AssertionError("called for a column that has one")
