"""Files of counts: headers, sums, and what does not belong together."""

import hashlib
import json

import pytest

from homespun import _native
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.tokenizer.count_corpus import count_corpus
from homespun.tokenizer.counts_file import merge_counts_files, read_counts, read_header
from homespun.tokenizer.parts import Shard

END = "<|endoftext|>"


@pytest.fixture
def make(tmp_path):
    """Counts a text of its own, or a shard of it, with settings of its own."""

    def make(name: str, text: str = "low lower lowest", special_tokens=(END,), **options):
        path = tmp_path / f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.txt"
        path.write_text(text)
        out = tmp_path / f"{name}.counts"
        count_corpus(path, out, special_tokens, **options)
        return out

    return make


def test_a_header_says_what_was_counted(make):
    """Oracle: the arguments, and the format's canonical JSON."""
    path = make("a", shard=Shard(2, 3), text_key="body", pattern="gpt4")
    header = read_header(path)
    assert (header.pattern, header.special_tokens) == (_native.GPT4_PATTERN, [END])
    assert header.unicode == _native.UNICODE_VERSION
    (part,) = header.parts
    assert (part.shard, part.num_shards, part.text_key) == (2, 3, "body")
    content = path.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    assert json.loads(content[16 : 16 + length]) == json.loads(header.to_bytes())


def test_counts_of_several_corpora_add_up(make):
    """Derived by hand."""
    first, second = make("a", "low low"), make("b", "low high")
    assert read_counts([first, second]).pretokens.items() == [(b" high", 1), (b" low", 1), (b"low", 2)]
    assert read_counts(first).pretokens.items() == [(b" low", 1), (b"low", 1)]


def test_a_merged_file_stands_for_its_parts(make, tmp_path):
    """Oracle: the parts themselves, and that they are not counted twice."""
    first, second = make("a", "low low"), make("b", "low high")
    sums = merge_counts_files([second, first], tmp_path / "sum.counts")
    assert (sums.num_pretokens, sums.num_bytes, sums.total) == (3, 12, 4)
    merged, apart = read_counts(tmp_path / "sum.counts"), read_counts([first, second])
    assert merged.pretokens.items() == apart.pretokens.items()
    assert merged.header == apart.header
    with pytest.raises(DataError, match=r"b\.counts: holds shard 1/1 of the inputs \w{8}, as .*sum\.counts does"):
        read_counts([tmp_path / "sum.counts", second])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"special_tokens": []}, r"with special_tokens \[\], but .*a\.counts with \['<\|endoftext\|>'\]"),
        ({"pattern": "gpt4"}, "with pattern"),
    ],
)
def test_other_settings_do_not_add_up(make, options, message):
    """Oracle: both settings in the message."""
    with pytest.raises(DataError, match=rf"b\.counts: counted {message}"):
        read_counts([make("a"), make("b", "another text", **options)])


def test_shards_must_be_all_and_once(make):
    """Oracle: the missing ones in the message."""
    shards = [make(str(number), shard=Shard(number, 4)) for number in range(1, 5)]
    assert read_counts(shards).pretokens.total == 3
    with pytest.raises(DataError, match=r"in 4 shards, shard 3 is missing"):
        read_counts([shards[3], *shards[:2]])
    with pytest.raises(DataError, match=r"in 4 shards, shards 1, 4 are missing"):
        read_counts(shards[1:3])
    with pytest.raises(DataError, match=r"2\.counts: holds shard 2/4"):
        read_counts([*shards, shards[1]])
    with pytest.raises(DataError, match=r"counted in 1 shards and in 4"):
        read_counts([*shards, make("whole")])


def test_missing_and_strange_files_are_refused(make, tmp_path):
    """Oracle: the file's name in the message."""
    with pytest.raises(MissingFileError, match=r"none\.counts: no such file"):
        read_counts(tmp_path / "none.counts")
    with pytest.raises(ConfigError, match="no files of counts"):
        read_counts([])
    strange = tmp_path / "strange.counts"
    for content in (b"", b"some text, long enough to be something else, but nothing that was ever counted"):
        strange.write_bytes(content)
        with pytest.raises(DataError, match=r"strange\.counts: not an intact file of counts"):
            read_counts(strange)
    with pytest.raises(ConfigError, match=r"take \d+ bytes of memory, more than the 10 left"):
        read_counts(make("a"), max_memory_bytes=10)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"pattern": 1},
        {"special_tokens": "ab", "pattern": None},
        {"parts": []},
        {"parts": [{"source": "", "text_key": "", "shard": 3, "num_shards": 2}]},
        {"parts": None},
    ],
)
def test_headers_that_say_something_else_are_refused(tmp_path, change):
    """A good checksum is not enough: the core keeps a header, this side reads it."""
    part = {"source": "s", "text_key": "text", "shard": 1, "num_shards": 1}
    values = {"pattern": "p", "special_tokens": [], "unicode": _native.UNICODE_VERSION, "parts": [part], **change}
    counter = _native.Counter([], r"\w+", 1, 64, None, tmp_path, None)
    header = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    counter.write(tmp_path / "a.counts", header)
    with pytest.raises(DataError, match=r"a\.counts: its header says"):
        read_header(tmp_path / "a.counts")


def test_another_unicode_is_refused(tmp_path):
    """Oracle: both versions in the message."""
    part = {"source": "s", "text_key": "text", "shard": 1, "num_shards": 1}
    values = {"pattern": "p", "special_tokens": [], "unicode": "9.0.0", "parts": [part]}
    counter = _native.Counter([], r"\w+", 1, 64, None, tmp_path, None)
    counter.write(tmp_path / "a.counts", json.dumps(values, sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(DataError, match=rf"Unicode 9\.0\.0, expected {_native.UNICODE_VERSION}"):
        read_counts(tmp_path / "a.counts")
