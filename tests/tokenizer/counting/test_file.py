"""Counts files: headers, sums, and what cannot be added up."""

import hashlib
import json

import pytest

from homespun import _native
from homespun.corpus.inputs import expand_inputs
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.tokenizer import CountOptions
from homespun.tokenizer.counting.file import add_headers, merge_counts_files, read_counts, read_header
from homespun.tokenizer.counting.job import count_corpus
from refusals import refuses

END = "<|endoftext|>"
SOURCE = {"fingerprint": "s", "text_key": "text"}


@pytest.fixture
def make(tmp_path):
    """Counts a text of its own with settings of its own."""

    def make(name: str, text: str = "low lower lowest", special_tokens=(END,), text_key="text", **settings):
        path = tmp_path / f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.txt"
        path.write_text(text)
        out = tmp_path / f"{name}.counts"
        count_corpus(expand_inputs(path), out, special_tokens, options=CountOptions(text_key=text_key), **settings)
        return out

    return make


def write(path, values) -> None:
    """Write an intact counts file with a header of one's own."""
    counter = _native.Counter([], r"\w+", 1, 64, None, path.parent)
    counter.write(path, json.dumps(values, sort_keys=True, separators=(",", ":")).encode())


def test_a_header_says_what_was_counted(make):
    """Oracle: the arguments, and the format's canonical JSON."""
    path = make("a", text_key="body", pattern="gpt4")
    header = read_header(path)
    assert (header.pattern, header.special_tokens) == (_native.GPT4_PATTERN, [END])
    assert header.unicode == _native.UNICODE_VERSION
    assert [source.text_key for source in header.sources] == ["body"]
    content = path.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    assert json.loads(content[16 : 16 + length]) == json.loads(header.to_bytes())


def test_counts_of_several_corpora_add_up(make):
    """Derived by hand."""
    first, second = make("a", "low low"), make("b", "low high")
    assert read_counts([first, second]).items() == [(b" high", 1), (b" low", 1), (b"low", 2)]
    assert read_counts([first]).items() == [(b" low", 1), (b"low", 1)]


def test_a_merged_file_stands_for_what_was_merged(make, tmp_path):
    """Oracle: the merged files themselves, and that they are not counted twice."""
    first, second = make("a", "low low"), make("b", "low high")
    sums = merge_counts_files([second, first], tmp_path / "sum.counts")
    assert (sums.num_pretokens, sums.num_bytes, sums.total) == (3, 12, 4)
    merged, apart = read_counts([tmp_path / "sum.counts"]), read_counts([first, second])
    assert merged.items() == apart.items()
    assert read_header(tmp_path / "sum.counts") == add_headers([first, second])
    with refuses(DataError, second, tmp_path / "sum.counts", "give each once"):
        read_counts([tmp_path / "sum.counts", second])


@pytest.mark.parametrize(
    ("settings", "facts"), [({"special_tokens": []}, ["special_tokens", [], [END]]), ({"pattern": "gpt4"}, ["pattern"])]
)
def test_other_settings_do_not_add_up(make, settings, facts):
    """Oracle: both files and both settings in the message."""
    first, second = make("a"), make("b", "another text", **settings)
    with refuses(DataError, first, second, *facts):
        read_counts([first, second])


def test_missing_and_strange_files_are_refused(make, tmp_path):
    """Oracle: the file's name in the message."""
    with refuses(MissingFileError, tmp_path / "none.counts"):
        read_counts([tmp_path / "none.counts"])
    with refuses(ConfigError, "name at least one"):
        read_counts([])
    strange = tmp_path / "strange.counts"
    for content in (b"", b"some text, long enough to be something else, but nothing that was ever counted"):
        strange.write_bytes(content)
        with refuses(DataError, strange, "not an intact file of counts"):
            read_counts([strange])
    with refuses(ConfigError, "bytes of memory", "more than the 10"):
        read_counts([make("a")], max_memory_bytes=10)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"pattern": 1},
        {"special_tokens": "ab", "pattern": None},
        {"sources": []},
        {"sources": [SOURCE, SOURCE]},
        {"sources": [{"fingerprint": ""}]},
        {"sources": None},
    ],
)
def test_headers_that_say_something_else_are_refused(tmp_path, change):
    """A good checksum is not enough: the core stores a header, this side reads it."""
    path = tmp_path / "a.counts"
    write(
        path, {"pattern": "p", "special_tokens": [], "unicode": _native.UNICODE_VERSION, "sources": [SOURCE]} | change
    )
    with refuses(DataError, path, "header"):
        read_header(path)


def test_another_unicode_is_refused(tmp_path):
    """Oracle: both versions in the message."""
    path = tmp_path / "a.counts"
    write(path, {"pattern": "p", "special_tokens": [], "unicode": "9.0.0", "sources": [SOURCE]})
    with refuses(DataError, path, "9.0.0", _native.UNICODE_VERSION):
        read_counts([path])
