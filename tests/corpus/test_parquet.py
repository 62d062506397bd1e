"""Documents from parquet files, written by pyarrow."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homespun.corpus import InputFile, read_documents
from homespun.corpus.documents import DocumentBatch
from homespun.corpus.reader import read_batches
from homespun.errors import DataError, MissingPackageError
from refusals import refuses

DOCUMENTS = [f"document {n}: h\u00e9 \U0001f600 <|endoftext|>\n" * (n % 7) for n in range(500)]


def write(path: Path, documents=DOCUMENTS, kind=None, **settings) -> Path:
    table = pa.table({"id": range(len(documents)), "text": pa.array(documents, kind)})
    pq.write_table(table, path, **settings)
    return path


def num_bytes(batch: DocumentBatch) -> int:
    return sum(len(document.encode()) for document in batch.documents)


def read(path: Path, batch_bytes: int) -> list[DocumentBatch]:
    batches = list(read_batches(path, separator="|", text_key="text", batch_bytes=batch_bytes))
    assert batches[-1].consumed_bytes == path.stat().st_size
    assert all(batch.is_closed and not batch.continues for batch in batches)
    return batches


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_rows_are_documents(tmp_path, kind, compression):
    """Oracle: the documents written, the empty ones and those with separators included."""
    path = write(tmp_path / "corpus.parquet", kind=kind, compression=compression, row_group_size=70)
    assert list(read_documents(path)) == DOCUMENTS


@pytest.mark.parametrize("batch_bytes", [1, 300, 1 << 20])
@pytest.mark.parametrize("row_group_size", [1, 64, 1000])
def test_batches_hold_the_same_rows_for_any_size(tmp_path, batch_bytes, row_group_size):
    """Oracle: the documents written."""
    path = write(tmp_path / "corpus.parquet", row_group_size=row_group_size)
    batches = read(path, batch_bytes)
    assert [document for batch in batches for document in batch.documents] == DOCUMENTS
    assert all(num_bytes(batch) >= batch_bytes for batch in batches[:-1])


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
    for batch in read_batches(path, separator="|", text_key="text", batch_bytes=1 << 20):
        assert num_bytes(batch) < 2 << 20
        highest = max(highest, pa.total_allocated_bytes() - before)
    assert highest < 20 << 20


def test_memory_is_bounded_where_a_dictionary_hides_the_size_of_the_text(tmp_path):
    """By hand: 300 rows of one string of 1 MB in a file of some hundred bytes."""
    path = write(tmp_path / "corpus.parquet", ["x" * 1_000_000] * 300, compression="zstd")
    assert path.stat().st_size < 2000
    before = pa.total_allocated_bytes()
    highest = num_documents = 0
    for batch in read_batches(path, separator="|", text_key="text", batch_bytes=4 << 20):
        assert num_bytes(batch) < 6 << 20
        num_documents += len(batch.documents)
        highest = max(highest, pa.total_allocated_bytes() - before)
    assert num_documents == 300
    assert highest < 20 << 20


def test_a_page_larger_than_the_limit_is_refused_unread(tmp_path):
    """By hand: ten strings of 1,000 bytes, each after its length in 4 bytes, in a page that zstd makes small."""
    path = tmp_path / "corpus.parquet"
    schema = pa.schema([pa.field("text", pa.string(), nullable=False)])
    documents = pa.table({"text": ["small"] * 10 + [letter * 1000 for letter in "abcdefghij"]}, schema)
    pq.write_table(documents, path, row_group_size=10, use_dictionary=False, compression="zstd")

    def batches(max_document_bytes):
        settings = {"separator": "|", "text_key": "text", "batch_bytes": 10}
        return list(read_batches(path, **settings, max_document_bytes=max_document_bytes))

    assert sum(len(batch.documents) for batch in batches(10_040)) == 20
    with refuses(DataError, path, "row group 1", "10,040", "10,039"):
        batches(10_039)


@pytest.mark.parametrize(
    "settings", [{"use_dictionary": True}, {"use_dictionary": False}, {"data_page_version": "2.0"}]
)
def test_headers_of_all_pages_are_read(tmp_path, settings):
    """Oracle: a limit that the row group exceeds and none of its pages of about 4 kB does."""
    sizes = {"data_page_size": 4096, "dictionary_pagesize_limit": 4096, "write_batch_size": 16}
    path = write(tmp_path / "corpus.parquet", **sizes, **settings)
    assert pq.read_metadata(path).row_group(0).column(1).total_uncompressed_size > 30_000
    reader = read_batches(path, separator="|", text_key="text", batch_bytes=1000, max_document_bytes=30_000)
    assert [document for batch in reader for document in batch.documents] == DOCUMENTS


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        ({"id": [1], "body": ["a"]}, ["'text'", "id, body"]),
        ({"text": [1, 2]}, ["'text'", "int64"]),
        ({"text": [b"bytes"]}, ["'text'", "binary"]),
        ({"text": ["a", "b", None]}, ["row 3", "null"]),
        ({"text": pa.array([], pa.string())}, ["no rows"]),
    ],
)
def test_tables_without_text_are_refused(tmp_path, columns, facts):
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table(columns), path)
    with refuses(DataError, path, *facts):
        list(read_documents(path))


def test_two_columns_of_the_name_are_refused():
    path = Path(__file__).parent / "cases" / "two-text-columns.parquet"
    with refuses(DataError, path, "2 columns", "'text'"):
        list(read_documents(path))


def test_invalid_utf8_is_refused_with_its_row(tmp_path):
    """By hand: 0xFF, which UTF-8 never has, planted as the third byte of the second row."""
    data = pa.array([b"fine", b"ab\xffcd", b"fine"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(data), data.buffers())
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table({"text": column}), path)
    with refuses(DataError, path, "row 2", "byte 2"):
        list(read_documents(path))


def test_files_that_are_not_parquet_are_refused(tmp_path):
    """Damage inside a page is seen where the writer left a checksum."""
    path = write(tmp_path / "corpus.parquet", compression="none", use_dictionary=False, write_page_checksum=True)
    whole = path.read_bytes()
    flipped = whole.replace(b"document 499", b"document 498")
    misnamed = whole.replace(b"text", b"\xb2\xb2\xb2\xb2")
    for damaged in (b"", b"some text", whole[:-20], flipped, misnamed):
        path.write_bytes(damaged)
        with refuses(DataError, path):
            list(read_documents(path))


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "corpus.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with refuses(MissingPackageError, path, "homespun[scale]"):
        list(read_documents(InputFile(str(path))))
