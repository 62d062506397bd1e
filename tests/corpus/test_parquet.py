"""Documents from parquet files, written by pyarrow."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homespun.corpus import InputFile, read_documents
from homespun.corpus.reader import SegmentReader
from homespun.corpus.segments import Batch, Place
from homespun.errors import DataError, MissingPackageError

DOCUMENTS = [f"document {n}: h\u00e9 \U0001f600 <|endoftext|>\n" * (n % 7) for n in range(500)]


def write(path: Path, documents=DOCUMENTS, kind=None, **settings) -> Path:
    table = pa.table({"id": range(len(documents)), "text": pa.array(documents, kind)})
    pq.write_table(table, path, **settings)
    return path


def read(path: Path, batch_bytes: int, start: Place | None = None) -> list[Batch]:
    reader = SegmentReader(path, separator="|", text_key="text", batch_bytes=batch_bytes, start=start)
    segments = list(reader)
    assert reader.consumed_bytes == path.stat().st_size
    assert all(isinstance(segment, Batch) and segment.is_closed for segment in segments)
    return segments


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_rows_are_documents(tmp_path, kind, compression):
    """Oracle: the documents written, the empty ones and those with separators included."""
    path = write(tmp_path / "corpus.parquet", kind=kind, compression=compression, row_group_size=70)
    assert list(read_documents(path)) == DOCUMENTS


@pytest.mark.parametrize("batch_bytes", [1, 300, 1 << 20])
@pytest.mark.parametrize("row_group_size", [1, 64, 1000])
def test_reading_goes_on_from_any_place_that_a_batch_gave(tmp_path, batch_bytes, row_group_size):
    """Oracle: the batches that an uninterrupted reading gives from there on."""
    path = write(tmp_path / "corpus.parquet", row_group_size=row_group_size)
    batches = read(path, batch_bytes)
    assert [document for batch in batches for document in batch.documents] == DOCUMENTS
    assert [batch.num_bytes for batch in batches] == [sum(len(d.encode()) for d in b.documents) for b in batches]
    for index in {0, len(batches) // 3, len(batches) - 1}:
        assert read(path, batch_bytes, batches[index].place) == batches[index:]


def test_memory_is_bounded_by_the_batch_and_not_by_the_row_group(tmp_path):
    """One row group of 100 MB of text; Arrow's own account of what it holds at most."""
    path = tmp_path / "corpus.parquet"
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), use_dictionary=False) as writer:
        documents = pa.table({"text": [f"{n:08d} " * 1250 for n in range(10_000)]})
        writer.write_table(documents, row_group_size=10_000)
    del documents
    assert pq.read_metadata(path).num_row_groups == 1
    before = pa.total_allocated_bytes()
    highest = 0
    for segment in SegmentReader(path, separator="|", text_key="text", batch_bytes=1 << 20):
        assert isinstance(segment, Batch)
        assert segment.num_bytes < 2 << 20
        highest = max(highest, pa.total_allocated_bytes() - before)
    assert highest < 20 << 20


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": [1], "body": ["a"]}, r"no column 'text'; the columns here are id, body"),
        ({"text": [1, 2]}, r"the column 'text' holds int64, expected string"),
        ({"text": [b"bytes"]}, r"the column 'text' holds binary, expected string"),
        ({"text": ["a", "b", None]}, r"row 3: the text is null"),
        ({"text": pa.array([], pa.string())}, r"the file has no rows"),
    ],
)
def test_tables_without_text_are_refused(tmp_path, columns, message):
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError, match=rf"corpus\.parquet: {message}"):
        list(read_documents(path))


def test_invalid_utf8_is_refused_with_its_row(tmp_path):
    """By hand: 0xFF, which UTF-8 never has, planted as the third byte of the second row."""
    data = pa.array([b"fine", b"ab\xffcd", b"fine"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(data), data.buffers())
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"text": column}), path)
    with pytest.raises(DataError, match=r"corpus\.parquet: row 2: invalid UTF-8 at byte 2"):
        list(read_documents(path))


def test_what_is_no_parquet_file_is_refused(tmp_path):
    """Damage inside a page is seen where the writer left a checksum."""
    path = write(tmp_path / "corpus.parquet", compression="none", use_dictionary=False, write_page_checksum=True)
    whole = path.read_bytes()
    flipped = whole.replace(b"document 499", b"document 498")
    misnamed = whole.replace(b"text", b"\xb2\xb2\xb2\xb2")
    for damaged in (b"", b"some text", whole[:-20], flipped, misnamed):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"corpus\.parquet: not parquet, truncated or damaged"):
            list(read_documents(path))


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "corpus.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'homespun\[scale\]'"):
        list(read_documents(InputFile(str(path))))
