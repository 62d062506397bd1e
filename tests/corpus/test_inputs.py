"""Naming the files of a corpus."""

import os
from pathlib import Path

import pytest

from homespun.corpus import InputFile, expand_inputs
from homespun.errors import ConfigError, DataError, MissingFileError
from refusals import refuses


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five texts, two of them in subdirectories, and what a pattern must not match: a directory and a hidden file."""
    for name in ("b.txt", "a.txt", "c.jsonl", "deep/a.txt", "deep/er/z.txt", ".hidden.txt", "folder.txt/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(inputs) -> list[str]:
    return [str(file) for file in expand_inputs(inputs)]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("b.txt", ["b.txt"]),
        (Path("b.txt"), ["b.txt"]),
        (InputFile("b.txt"), ["b.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
        ("[bc].*", ["b.txt", "c.jsonl"]),
        ("**/?.txt", ["a.txt", "b.txt", "deep/a.txt", "deep/er/z.txt"]),
        (["c.jsonl", "*.txt", "deep/*.txt"], ["c.jsonl", "a.txt", "b.txt", "deep/a.txt"]),
        (["b.txt", "*.txt", "./a.txt"], ["b.txt", "a.txt"]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_names_and_patterns_give_each_file_once_in_order(inputs, expected):
    """By hand."""
    assert names(inputs) == expected


def test_relative_and_absolute_names_and_file_urls_of_one_file_are_one(folder):
    assert names(["a.txt", folder / "a.txt", (folder / "a.txt").as_uri(), f"{folder.as_uri()}/*.txt"]) == [
        "a.txt",
        str(folder / "b.txt"),
    ]


def test_a_file_is_one_input_whatever_path_leads_to_it(folder):
    """By hand: itself, a symbolic link, a hard link, and a path that leaves the directory and comes back."""
    (folder / "symbolic.txt").symlink_to(folder / "a.txt")
    os.link(folder / "a.txt", folder / "hard.txt")
    assert names(["a.txt", "symbolic.txt", "hard.txt", f"../{folder.name}/a.txt", "b.txt"]) == ["a.txt", "b.txt"]


@pytest.mark.skipif(os.name == "nt", reason="there are no FIFOs")
def test_pipes_and_devices_are_refused_without_being_opened(folder):
    """Opening a FIFO that nobody writes to would wait for ever; /dev/fd/N is what a shell's <(...) names."""
    os.mkfifo(folder / "pipe.txt")
    reading, writing = os.pipe()
    for name in ("pipe.txt", f"/dev/fd/{reading}", "/dev/null"):
        with refuses(DataError, name, "pipe"):
            expand_inputs(name)
        with refuses(DataError, name, "pipe"), InputFile(name).open():
            raise AssertionError("opened")
    os.close(reading)
    os.close(writing)


def test_a_file_that_exists_is_no_pattern(folder):
    (folder / "a[1].txt").write_text("text")
    (folder / "a1.txt").write_text("text")
    assert names("a[1].txt") == ["a[1].txt"]


@pytest.mark.parametrize(
    ("inputs", "error", "facts"),
    [
        ([], ConfigError, ["input files"]),
        ("absent.txt", MissingFileError, ["absent.txt"]),
        ("*.parquet", MissingFileError, ["*.parquet"]),
        (["a.txt", "deep"], DataError, ["deep is a directory", "DIR/*.txt"]),
        ("image.zip", DataError, ["image.zip", ".zip"]),
        ("table.parquet.zst", DataError, ["table.parquet.zst", ".parquet.zst"]),
    ],
)
def test_what_cannot_be_an_input_is_refused(folder, inputs, error, facts):
    (folder / "image.zip").touch()
    (folder / "table.parquet.zst").touch()
    with refuses(error, *facts):
        expand_inputs(inputs)


@pytest.mark.parametrize(
    ("location", "kind", "compression", "is_plain"),
    [
        ("a/corpus.txt", "text", "", True),
        ("corpus", "text", "", True),
        ("corpus.TXT.GZ", "text", ".gz", False),
        ("corpus.ndjson.zst", "json lines", ".zst", False),
        ("corpus.json.gz", "json lines", ".gz", False),
        ("corpus.jsonl.zstd", "json lines", ".zst", False),
        ("corpus.parquet", "parquet", "", False),
        ("s3://bucket/corpus.jsonl", "json lines", "", False),
        ("https://host/corpus.txt.gz?token=a.b", "text", ".gz", False),
        ("simplecache::s3://bucket/corpus.parquet", "parquet", "", False),
    ],
)
def test_the_name_says_what_a_file_holds(location, kind, compression, is_plain):
    file = InputFile(location)
    assert (file.kind, file.compression) == (kind, compression)
    assert file.plain_path == (Path(location) if is_plain else None)


def test_the_state_of_a_file_changes_when_it_is_written_to(folder):
    """Oracle: what the operating system says."""
    file = InputFile("a.txt")
    before = file.state()
    assert before.num_bytes == 4
    assert before.modified == str((folder / "a.txt").stat().st_mtime_ns)
    os.utime("a.txt", ns=(0, 1))
    assert file.state() != before
