"""Dividing a corpus into file ranges."""

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun import _native
from homespun.corpus.division import FileRange, divide, num_ranges_of
from homespun.corpus.inputs import InputFile
from homespun.errors import DataError, MissingFileError
from refusals import refuses

SPECIAL = ["<|endoftext|>"]
TEXT = "the cat's  42 hats<|endoftext|>\n\nshe'll  \t go " * 40


def pretokens(text: str) -> list[str]:
    texts = re.split("(" + re.escape(SPECIAL[0]) + ")", text)
    return [token for text in texts for token in ([text] if text in SPECIAL else split(text))]


def split(text: str) -> list[str]:
    return _native.split(text, _native.GPT2_PATTERN)


def divided(files, num_ranges: int, **settings) -> list[list[FileRange]]:
    settings = {"special_tokens": SPECIAL, "pattern": _native.GPT2_PATTERN} | settings
    return divide([InputFile(str(file)) for file in files], num_ranges, **settings)


@pytest.mark.property
@given(num_ranges=st.integers(1, 99), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_ranges_cover_every_byte_once_and_cut_no_token(tmp_path_factory, num_ranges, sizes):
    """Oracle: the pre-tokens of each whole file."""
    folder = tmp_path_factory.mktemp("inputs")
    files = [folder / f"{number}.txt" for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        file.write_text(TEXT[:size])
    lists = divided(files, num_ranges)
    assert 1 <= len(lists) <= num_ranges
    ranges = [file_range for ranges in lists for file_range in ranges]
    for file in files:
        own = [file_range for file_range in ranges if file_range.file.path == file]
        assert [own[0].start, own[-1].end] == [0, file.stat().st_size]
        assert [file_range.start for file_range in own[1:]] == [file_range.end for file_range in own[:-1]]
        text = file.read_text()
        assert [token for r in own for token in pretokens(text[r.start : r.end])] == pretokens(text)
    assert [file_range.file.path for file_range in ranges] == sorted(file_range.file.path for file_range in ranges)


def test_ranges_are_of_about_equal_size(tmp_path):
    """Oracle: derived by hand; between two words lies at most one of ten bytes."""
    (tmp_path / "a.txt").write_text("the cats " * 1000)
    lists = divided([tmp_path / "a.txt"], 9)
    assert len(lists) == 9
    assert all(abs(ranges[0].num_bytes - 1000) < 20 for ranges in lists)


def test_a_file_that_cannot_be_entered_is_in_one_list(tmp_path):
    """Oracle: derived by hand: the file belongs to the list of its first byte, and the others hold the rest."""
    (tmp_path / "a.txt").write_text("a b " * 25)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "c.jsonl").write_text('{"text": "cat"}\n' * 50)
    (tmp_path / "d.txt").write_text("a b " * 25)
    files = [tmp_path / name for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.txt")]
    lists = divided(files, 50)
    for file in files[1:3]:
        (own,) = [r for ranges in lists for r in ranges if r.file.path == file]
        assert (own.start, own.end) == (0, file.stat().st_size)
    assert [r.file.path for ranges in divided(files, 1) for r in ranges] == files


def test_a_pattern_of_ones_own_allows_cuts_at_special_tokens_alone(tmp_path):
    """Oracle: the offsets of the special token, found by `str.find`."""
    text = "a b c d " * 20 + SPECIAL[0] + "e f " * 20
    (tmp_path / "a.txt").write_text(text)
    lists = divided([tmp_path / "a.txt"], 10, pattern=r"\w+|\W+")
    assert [ranges[0].start for ranges in lists] == [0, text.find(SPECIAL[0])]


def test_a_file_without_text_or_absent_is_refused(tmp_path):
    """Oracle: the file's name."""
    (tmp_path / "a.txt").write_text("")
    with refuses(DataError, tmp_path / "a.txt", "empty"):
        divided([tmp_path / "a.txt"], 2)
    with refuses(MissingFileError, tmp_path / "b.txt"):
        divided([tmp_path / "b.txt"], 2)


@pytest.mark.parametrize(("num_bytes", "expected"), [(0, 1), (1, 1), (10, 1), (11, 2), (100, 10)])
def test_number_of_ranges(num_bytes, expected):
    """Oracle: derived by hand."""
    assert num_ranges_of(num_bytes, 10) == expected
