"""Documents and texts from files of every kind."""

import gzip
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from homespun.corpus import read_documents, read_text
from homespun.corpus.documents import DocumentBatch
from homespun.corpus.reader import read_batches
from homespun.errors import ConfigError, DataError, MissingFileError
from refusals import refuses

SEPARATOR = "<|endoftext|>"
CASES = Path(__file__).parent / "cases"


def compress(data: bytes, ending: str) -> bytes:
    """`data` as a file of that ending holds it; zstd in two frames, which one file may have."""
    half = len(data) // 2
    match ending:
        case ".gz":
            return gzip.compress(data)
        case ".zst":
            return zstandard.compress(data[:half]) + zstandard.compress(data[half:])
        case _:
            return data


def join_batches(batches: Iterable[DocumentBatch]) -> list[str]:
    documents, continues = [], False
    for batch in batches:
        first, *others = batch.documents
        documents += [documents.pop() + first if continues else first, *others]
        continues = batch.continues
    assert not continues
    return documents


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_text_documents_are_those_of_str_split(tmp_path, ending):
    """Oracle: str.split, whose empty string after a closing separator is not a document."""
    text = f"one\n{SEPARATOR}\ntwo: h\u00e9 \U0001f600{SEPARATOR}{SEPARATOR}last{SEPARATOR}"
    path = tmp_path / f"corpus.txt{ending}"
    path.write_bytes(compress(text.encode(), ending))
    assert list(read_documents(path)) == text.split(SEPARATOR)[:-1]
    assert "".join(read_text(path)) == text


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_json_lines_give_the_text_of_each(tmp_path, ending):
    """Oracle: the documents written, line feeds, separators and characters outside the BMP included."""
    documents = ["one\ntwo", "", SEPARATOR, "\u2028 \U0001f600"]
    lines = "\n".join(json.dumps({"id": n, "body": d}, ensure_ascii=n % 2 == 0) for n, d in enumerate(documents))
    path = tmp_path / f"corpus.jsonl{ending}"
    path.write_bytes(compress(lines.encode(), ending))
    assert list(read_documents(path, text_key="body")) == documents


@pytest.mark.parametrize("batch_bytes", [1, 7, 100, 10_000])
@pytest.mark.parametrize("separator", [SEPARATOR, "|", "aa"])
def test_batches_hold_the_same_documents_for_any_size(tmp_path, batch_bytes, separator):
    """Oracle: str.split; "aa" overlaps itself, so that "aaa" must be cut after its first two letters."""
    text = f"\u00e9{separator}{separator}ba{separator}aaab" + "x\u00e9" * 40 + f"{separator}end"
    path = tmp_path / "corpus.txt"
    path.write_text(text, encoding="utf-8")
    batches = read_batches(path, separator=separator, text_key="text", batch_bytes=batch_bytes)
    assert join_batches(batches) == text.split(separator)


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("position", [0, 5, (1 << 20) - 1, (1 << 20) + 3])
def test_invalid_utf8_is_refused_with_its_offset(tmp_path, ending, position):
    """By hand: the one byte 0xFF, which UTF-8 never has, in the middle of two-byte characters across chunks."""
    data = bytearray(("\u00e9" * (1 << 20)).encode())
    data[position : position + 1] = b"\xff"
    path = tmp_path / f"corpus.txt{ending}"
    path.write_bytes(compress(bytes(data), ending))
    # A character whose second byte was replaced is refused where it starts.
    expected = position - position % 2
    for read in (read_text, read_documents):
        with refuses(DataError, path, f"byte offset {expected} "):
            list(read(path))


def test_cut_character_at_the_end_is_refused(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("abc\u00e9".encode()[:-1])
    for read in (read_text, read_documents):
        with refuses(DataError, path, "byte offset 3 "):
            list(read(path))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_truncated_archives_are_refused(tmp_path, ending, kept):
    """Not one half: there the first of two zstd frames ends, and with it a whole file."""
    data = compress(bytes(i * i % 251 for i in range(100_000)).hex().encode(), ending)
    path = tmp_path / f"corpus.txt{ending}"
    path.write_bytes(data[: int(kept * len(data))])
    with refuses(DataError, path):
        list(read_documents(path))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_is_not_compressed_as_named_is_refused_for_that(tmp_path, ending):
    path = tmp_path / f"corpus.txt{ending}"
    path.write_text("plain text, whatever the name says")
    with refuses(DataError, path, "not compressed"):
        list(read_documents(path))


def test_a_zstd_window_of_2_gib_is_read():
    """By hand: `zstd --long=31`, as the Reddit dumps are compressed, of two lines."""
    assert list(read_documents(CASES / "window-2-31.jsonl.zst")) == ["one two", "three"]


def test_a_zstd_dictionary_is_named_as_the_cause(tmp_path):
    """Every cause has its own remedy: downloading again does not help here."""
    dictionary = zstandard.train_dictionary(1 << 10, [f"{n} bottles of beer on the wall".encode() for n in range(999)])
    path = tmp_path / "corpus.txt.zst"
    path.write_bytes(zstandard.ZstdCompressor(dict_data=dictionary).compress(b"99 bottles of beer on the wall"))
    with refuses(DataError, path, "dictionary"):
        list(read_documents(path))


def test_blank_lines_are_skipped():
    """By hand: two lines of JSON, an empty one between them and one of spaces after."""
    assert list(read_documents(CASES / "blank-lines.jsonl")) == ["one two", "three"]


def test_compressed_json_lines_have_their_common_names(tmp_path):
    """Dolma and C4 name theirs .json.gz."""
    assert list(read_documents(CASES / "lines.json.gz")) == ["one two", "three"]
    lines = gzip.decompress((CASES / "lines.json.gz").read_bytes())
    for ending in (".json", ".jsonlines", ".json.zst", ".jsonl.zstd", ".ndjson.gzip"):
        path = tmp_path / f"corpus{ending}"
        path.write_bytes(compress(lines, {"zstd": ".zst", "zst": ".zst", "gzip": ".gz"}.get(ending.split(".")[-1], "")))
        assert list(read_documents(path)) == ["one two", "three"]


@pytest.mark.parametrize(
    ("line", "facts"),
    [
        ("{", ["not valid JSON"]),
        ("[1]", ["JSON object", "'[1]'"]),
        ('{"body": "x", "id": 1}', ["'text'", "body, id"]),
        ('{"text": 3}', ["'text'", "3"]),
        ('{"text": null}', ["'text'", "null"]),
        ('{"text": "\\ud800"}', ["lone surrogate", "ud800"]),
    ],
)
def test_bad_json_lines_are_refused_with_their_line(tmp_path, line, facts):
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"text": "fine"}}\n\n{line}\n{{"text": "fine"}}\n')
    with refuses(DataError, f"{path}:3: ", *facts):
        list(read_documents(path))


def test_a_null_text_is_called_so():
    with refuses(DataError, "null-text.jsonl:2: ", "null") as caught:
        list(read_documents(CASES / "null-text.jsonl"))
    assert "the keys here are" not in str(caught.value)


def test_a_line_beyond_the_memory_allowed_is_refused_before_it_is_held(tmp_path):
    """By hand: the second line is 160 MiB; 1 KiB of zstd, which is read at a time, may decompress to 32 MiB."""
    path = tmp_path / "corpus.jsonl.zst"
    path.write_bytes(zstandard.compress(b'{"text": "fine"}\n{"text": "' + bytes([97]) * (160 << 20) + b'"}\n', 3))
    reader = read_batches(path, separator="|", text_key="text", batch_bytes=1 << 20, max_document_bytes=1 << 20)
    tracemalloc.start()
    try:
        with refuses(DataError, f"{path}:2: ", f"{1 << 20:,} bytes"):
            list(reader)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


def test_missing_empty_and_foreign_files_are_refused(tmp_path):
    for name in ("empty.txt", "empty.jsonl", "table.csv", "table.parquet.gz"):
        (tmp_path / name).touch()
    (tmp_path / "blank.jsonl").write_text("\n \n")
    with refuses(MissingFileError, tmp_path / "absent.txt"):
        list(read_documents(tmp_path / "absent.txt"))
    with refuses(DataError, tmp_path, "directory"):
        list(read_documents(tmp_path))
    for name, fact in (
        ("empty.txt", "empty"),
        ("empty.jsonl", "empty"),
        ("blank.jsonl", "blank"),
        ("table.csv", ".csv"),
        ("table.parquet.gz", ".parquet.gz"),
    ):
        with refuses(DataError, tmp_path / name, fact):
            list(read_documents(tmp_path / name))


def test_an_empty_separator_is_refused(tmp_path):
    (tmp_path / "corpus.txt").write_text("x")
    with refuses(ConfigError, "separator"):
        list(read_documents(tmp_path / "corpus.txt", separator=""))
