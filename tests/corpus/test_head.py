"""The first documents of a text as a text of its own."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun.cli.main import main
from homespun.corpus import read_documents, write_head
from homespun.errors import ConfigError, DataError, MissingFileError
from refusals import refuses

SEPARATOR = "<|endoftext|>"
TEXT = f"one\n{SEPARATOR}\nh\u00e9{SEPARATOR}{SEPARATOR}last, unclosed"


def longest_head(text: str, separator: str, max_bytes: int) -> str:
    """Oracle: of all ends of a document in `text`, the last that leaves at most `max_bytes`."""
    ends, at = [], 0
    while (found := text.find(separator, at)) >= 0:
        at = found + len(separator)
        ends.append(at)
    return text[: max(end for end in [*ends, len(text)] if len(text[:end].encode()) <= max_bytes)]


@given(
    st.lists(st.text(alphabet="ab\u00e9\n", max_size=9), min_size=1, max_size=9).map("|".join).filter(bool),
    st.integers(1, 80),
)
def test_the_head_is_the_longest_that_ends_with_a_document(tmp_path_factory, text, max_bytes):
    """Oracle: `longest_head`, by the definition."""
    folder = tmp_path_factory.mktemp("head")
    (folder / "in.txt").write_bytes(text.encode())
    if len((text.partition("|")[0] + "|" * ("|" in text)).encode()) > max_bytes:
        with pytest.raises(ConfigError):
            write_head(folder / "in.txt", folder / "out.txt", max_bytes=max_bytes, separator="|")
        assert [path.name for path in folder.iterdir()] == ["in.txt"]
        return
    head = write_head(folder / "in.txt", folder / "out.txt", max_bytes=max_bytes, separator="|")
    written = (folder / "out.txt").read_bytes()
    assert written.decode() == longest_head(text, "|", max_bytes)
    assert head.num_bytes == len(written)
    assert head.sha256 == hashlib.sha256(written).hexdigest()
    assert head.num_documents == len([*read_documents(folder / "out.txt", separator="|")])
    assert head.is_whole == (written.decode() == text)


def test_documents_longer_than_a_block_are_whole_or_left_out(tmp_path):
    """Oracle: the text's first bytes; a block is 1 MiB, and each document spans several."""
    documents = [letter * 2_500_000 + SEPARATOR for letter in "abc"]
    (tmp_path / "in.txt").write_text("".join(documents))
    head = write_head(tmp_path / "in.txt", tmp_path / "out.txt", max_bytes=5_100_000)
    assert (tmp_path / "out.txt").read_text() == documents[0] + documents[1]
    assert (head.num_documents, head.is_whole) == (2, False)


def test_only_the_beginning_of_a_compressed_text_is_read(tmp_path):
    """Planted: a file whose later half is damaged. Its head must be that of the text, and the whole be refused."""
    text = "".join(f"{hashlib.shake_128(bytes([number])).hexdigest(20_000)}{SEPARATOR}" for number in range(120))
    data = bytearray(gzip.compress(text.encode()))
    data[-len(data) // 8] ^= 0xFF
    (tmp_path / "in.txt.gz").write_bytes(data)
    write_head(tmp_path / "in.txt.gz", tmp_path / "out.txt", max_bytes=50_000)
    assert (tmp_path / "out.txt").read_text() == longest_head(text, SEPARATOR, 50_000)
    with pytest.raises(DataError):
        write_head(tmp_path / "in.txt.gz", tmp_path / "all.txt", max_bytes=10**8)
    assert not (tmp_path / "all.txt").exists()


def test_json_lines_and_parquet_become_text(tmp_path):
    """Oracle: the documents joined by hand; the reader finds them again."""
    documents = ["one\n", "", "h\u00e9"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"body": document}) + "\n" for document in documents))
    write_head(tmp_path / "in.jsonl", tmp_path / "json.txt", max_bytes=1000, text_key="body")
    assert (tmp_path / "json.txt").read_text() == "".join(document + SEPARATOR for document in documents)
    assert [*read_documents(tmp_path / "json.txt")] == documents
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"text": documents}), tmp_path / "in.parquet")
    write_head(tmp_path / "in.parquet", tmp_path / "parquet.txt", max_bytes=1000)
    assert (tmp_path / "parquet.txt").read_bytes() == (tmp_path / "json.txt").read_bytes()


@pytest.mark.parametrize(("document", "separator"), [(f"a{SEPARATOR}b", SEPARATOR), ("xa", "aa")])
def test_a_document_that_would_become_two_is_refused(tmp_path, document, separator):
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": document}))
    with refuses(DataError, "in.jsonl", separator):
        write_head(tmp_path / "in.jsonl", tmp_path / "out.txt", max_bytes=1000, separator=separator)
    assert not (tmp_path / "out.txt").exists()


def test_bad_input_is_refused_and_nothing_is_written(tmp_path):
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    with refuses(MissingFileError, "in.txt"):
        write_head(source, target, max_bytes=10)
    source.write_text(TEXT)
    with refuses(ConfigError, "in.txt", "10 bytes"):
        write_head(source, target, max_bytes=10)
    with refuses(ConfigError, "separator"):
        write_head(source, target, max_bytes=1000, separator="")
    with refuses(ConfigError, "out.jsonl"):
        write_head(source, tmp_path / "out.jsonl", max_bytes=1000)
    with refuses(DataError, "in.txt"):
        write_head(source, source, max_bytes=1000, overwrite=True)
    source.write_bytes(b"one \xff\xfe")
    with refuses(DataError, "in.txt", "4"):
        write_head(source, target, max_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_the_command_keeps_another_text_unless_forced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text(TEXT)
    assert main(["corpus", "head", "in.txt", "out.txt", "--bytes", "20"]) == 0
    printed = capsys.readouterr().out
    assert "1 documents, 17 bytes" in printed
    assert hashlib.sha256(Path("out.txt").read_bytes()).hexdigest() in printed
    assert main(["corpus", "head", "in.txt", "out.txt", "--bytes", "20"]) == 0
    assert capsys.readouterr().out == printed
    assert main(["corpus", "head", "in.txt", "out.txt", "--bytes", "1KB"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "out.txt" in error
    assert "--force" in error
    assert Path("out.txt").read_text() == f"one\n{SEPARATOR}"
    assert main(["corpus", "head", "in.txt", "out.txt", "--bytes", "1KB", "--force"]) == 0
    assert "4 documents" in capsys.readouterr().out
    assert Path("out.txt").read_text() == TEXT
