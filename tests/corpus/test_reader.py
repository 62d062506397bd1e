"""Documents and texts from files of every kind."""

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from homespun.corpus import read_documents, read_text
from homespun.corpus.reader import SegmentReader
from homespun.corpus.segments import Batch, Fragment, Place
from homespun.errors import ConfigError, DataError, MissingFileError

SEPARATOR = "<|endoftext|>"


def compress(data: bytes, ending: str) -> bytes:
    """`data` as a file of that ending holds it; zstd in two frames, which one file may have."""
    half = len(data) // 2
    match ending:
        case ".gz":
            return gzip.compress(data)
        case ".zst":
            return b"".join(zstandard.compress(part) for part in (data[:half], data[half:]))
        case _:
            return data


def join_fragments(segments: Iterable[Batch | Fragment]) -> list[str]:
    documents, parts = [], []
    for segment in segments:
        if isinstance(segment, Batch):
            documents += segment.documents
        else:
            parts.append(segment.text)
            if segment.is_last:
                documents.append("".join(parts))
                parts = []
    return documents


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_text_documents_are_those_of_str_split(tmp_path, ending):
    """Oracle: str.split, whose empty piece after a closing separator is no document."""
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
def test_segments_are_the_same_documents_for_any_batch(tmp_path, batch_bytes, separator):
    """Oracle: str.split; "aa" overlaps itself, so that "aaa" must be cut after its first two letters."""
    text = f"\u00e9{separator}{separator}ba{separator}aaab" + "x\u00e9" * 40 + f"{separator}end"
    path = tmp_path / "corpus.txt"
    path.write_text(text, encoding="utf-8")
    segments = SegmentReader(path, separator=separator, text_key="text", batch_bytes=batch_bytes)
    assert join_fragments(segments) == text.split(separator)


@pytest.mark.parametrize("ending", [".txt", ".txt.gz", ".txt.zst", ".jsonl", ".jsonl.zst"])
def test_reading_goes_on_from_any_place_that_a_segment_gave(tmp_path, ending):
    """Oracle: the segments that an uninterrupted reading gives from there on."""
    documents = [f"document {n} " * n for n in range(1, 60)]
    text = SEPARATOR.join(documents)
    lines = "".join(json.dumps({"text": document}) + "\n" for document in documents)
    path = tmp_path / f"corpus{ending}"
    path.write_bytes(compress((lines if "json" in ending else text).encode(), Path(ending).suffix))

    def read(start):
        return list(SegmentReader(path, separator=SEPARATOR, text_key="text", batch_bytes=2000, start=start))

    segments = read(Place())
    places = [segment.place for segment in segments]
    assert len(set(places)) > 3
    for place in set(places):
        assert read(place)[0].place == place
        assert join_fragments(read(place)) == join_fragments(segments[places.index(place) :])


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("position", [0, 5, (1 << 20) - 1, (1 << 20) + 3])
def test_invalid_utf8_is_refused_with_its_offset(tmp_path, ending, position):
    """By hand: the one byte 0xFF, which UTF-8 never has, in the middle of two-byte characters across pieces."""
    data = bytearray(("\u00e9" * (1 << 20)).encode())
    data[position : position + 1] = b"\xff"
    path = tmp_path / f"corpus.txt{ending}"
    path.write_bytes(compress(bytes(data), ending))
    # A character whose second byte was replaced is refused where it starts.
    expected = position - position % 2
    for read in (read_text, read_documents):
        with pytest.raises(DataError, match=rf"{re.escape(str(path))}.*byte offset {expected} "):
            list(read(path))


def test_cut_character_at_the_end_is_refused(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("abc\u00e9".encode()[:-1])
    for read in (read_text, read_documents):
        with pytest.raises(DataError, match="byte offset 3 "):
            list(read(path))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_truncated_archives_are_refused(tmp_path, ending, kept):
    """Not one half: there the first of two zstd frames ends, and with it a whole file."""
    data = compress(bytes(i * i % 251 for i in range(100_000)).hex().encode(), ending)
    path = tmp_path / f"corpus.txt{ending}"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match=r"truncated or damaged|empty"):
        list(read_documents(path))


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_what_is_no_archive_is_refused(tmp_path, ending):
    path = tmp_path / f"corpus.txt{ending}"
    path.write_text("plain text, whatever the name says")
    with pytest.raises(DataError, match="truncated or damaged"):
        list(read_documents(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[1]", "expected a JSON object"),
        ('{"body": "x"}', "the keys here are body"),
        ('{"text": 3}', "no text under the key 'text'"),
        ('{"text": "\\ud800"}', "lone surrogate"),
    ],
)
def test_bad_json_lines_are_refused_with_their_line(tmp_path, line, message):
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{line}\n{{"text": "fine"}}\n')
    with pytest.raises(DataError, match=rf"corpus\.jsonl:2: .*{message}"):
        list(read_documents(path))


def test_missing_empty_and_foreign_files_are_refused(tmp_path):
    for name in ("empty.txt", "empty.jsonl", "table.csv", "table.parquet.gz"):
        (tmp_path / name).touch()
    with pytest.raises(MissingFileError, match="no such file"):
        list(read_documents(tmp_path / "absent.txt"))
    with pytest.raises(DataError, match="is a directory"):
        list(read_documents(tmp_path))
    for name in ("empty.txt", "empty.jsonl"):
        with pytest.raises(DataError, match="the file is empty"):
            list(read_documents(tmp_path / name))
    with pytest.raises(DataError, match=r"\.csv files cannot be read"):
        list(read_documents(tmp_path / "table.csv"))
    with pytest.raises(DataError, match=r"\.parquet\.gz files cannot be read"):
        list(read_documents(tmp_path / "table.parquet.gz"))


def test_an_empty_separator_is_refused(tmp_path):
    (tmp_path / "corpus.txt").write_text("x")
    with pytest.raises(ConfigError, match="separator is empty"):
        list(read_documents(tmp_path / "corpus.txt", separator=""))
