"""Counting corpora into files: every kind of input, shards, memory, interruptions."""

import gzip
import json
from collections import Counter

import pytest

from homespun import _native
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.progress import ignore_progress
from homespun.tokenizer import counting, reference
from homespun.tokenizer.count import count_pretokens
from homespun.tokenizer.count_corpus import count_corpus
from homespun.tokenizer.counts_file import merge_counts_files, read_counts
from homespun.tokenizer.memory import PYTHON_TO_COUNT_BYTES
from homespun.tokenizer.parts import Shard

END = "<|endoftext|>"
DOCUMENTS = [f"document {n}: caf\u00e9 \u4e2d\u6587 it's {n * n} \n\n{'words ' * (n % 9)}" for n in range(200)]
INSIDE = f"a special token {END} inside"


@pytest.fixture
def corpus(tmp_path):
    """One file of each kind; in those of documents a special token is ordinary text."""
    text = END.join(DOCUMENTS).encode()
    (tmp_path / "a.txt").write_bytes(text)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text))
    lines = "".join(json.dumps({"text": text, "body": "other"}) + "\n" for text in [*DOCUMENTS, INSIDE])
    (tmp_path / "c.jsonl").write_text(lines)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def expected_of(*, num_texts=2, num_lines=2) -> dict[bytes, int]:
    """What the slow reference counts in so many files of text and of lines."""
    total: Counter[bytes] = Counter()
    for number, text, special_tokens in [
        (num_texts, END.join(DOCUMENTS), [END]),
        *((num_lines, document, []) for document in [*DOCUMENTS, INSIDE]),
    ]:
        for pretoken, count in reference.count_pretokens(text, special_tokens, reference.split_gpt2).items():
            total[pretoken] += number * count
    return dict(+total)


def items_of(*paths) -> dict[bytes, int]:
    return dict(read_counts(paths).pretokens.items())


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("segment_bytes", [500, 2**30])
def test_every_kind_of_file_is_counted(corpus, num_threads, segment_bytes, monkeypatch):
    """Oracle: the slow reference. The bytes of the file do not depend on threads or segments."""
    monkeypatch.setattr(counting, "_BATCH_BYTES", 300)
    out = corpus / "all.counts"
    inputs = [corpus / name for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.jsonl.gz")]
    sums = count_corpus(inputs, out, [END], num_threads=num_threads, segment_bytes=segment_bytes, chunk_bytes=100)
    expected = expected_of()
    assert items_of(out) == expected
    assert (sums.num_pretokens, sums.total) == (len(expected), sum(expected.values()))
    assert sums.num_bytes == sum(map(len, expected))
    count_corpus(inputs, corpus / "again.counts", [END])
    assert out.read_bytes() == (corpus / "again.counts").read_bytes()
    assert not list(corpus.glob("*.partial"))
    assert dict(count_pretokens(inputs, [END]).items()) == expected


@pytest.mark.parametrize("num_shards", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("pattern", ["gpt2", r"\S+|\s+"])
def test_shards_add_up(corpus, num_shards, pattern):
    """Oracle: counting at once. Merged first or read together, in any order."""
    inputs = [corpus / "a.txt", corpus / "c.jsonl", corpus / "b.txt.gz", corpus / "a*.txt"]
    count_corpus(inputs, corpus / "whole.counts", [END], pattern=pattern)
    shards = [corpus / f"{number}.counts" for number in range(1, num_shards + 1)]
    for number, path in enumerate(shards, start=1):
        count_corpus(inputs, path, [END], pattern=pattern, shard=Shard(number, num_shards))
    whole = items_of(corpus / "whole.counts")
    assert items_of(*reversed(shards)) == whole
    merge_counts_files(shards[::2], corpus / "even.counts")
    assert items_of(corpus / "even.counts", *shards[1::2]) == whole


def test_little_memory_changes_nothing(corpus, monkeypatch):
    """Oracle: as much memory as it takes. Far fewer bytes than one table would take spill every few words."""
    monkeypatch.setattr("homespun.tokenizer.memory._LEAST_COUNTING_BYTES", 0)
    inputs = [corpus / "a.txt", corpus / "c.jsonl"]
    count_corpus(inputs, corpus / "much.counts", [END])
    count_corpus(
        inputs, corpus / "little.counts", [END], max_memory_bytes=PYTHON_TO_COUNT_BYTES + 1, segment_bytes=2000
    )
    assert (corpus / "little.counts").read_bytes() == (corpus / "much.counts").read_bytes()


class Stop(Exception):
    """What interrupts a count."""


def test_an_interrupted_count_goes_on(corpus, monkeypatch):
    """Oracle: a count that nobody interrupted. Each call is stopped a little later than the one before."""
    monkeypatch.setattr(counting, "_BATCH_BYTES", 300)
    inputs = [corpus / name for name in ("c.jsonl", "a.txt", "b.txt.gz")]
    count_corpus(inputs, corpus / "whole.counts", [END])
    out, most_done, num_stops = corpus / "part.counts", 0, 0
    while not out.exists():
        seen = 0

        def stop_later(done: int, total: int, limit: int = most_done + 900) -> None:
            nonlocal seen
            seen = max(seen, done)
            if done > limit and done < total:
                raise Stop

        try:
            count_corpus(inputs, out, [END], segment_bytes=400, chunk_bytes=50, num_threads=2, on_progress=stop_later)
        except Stop:
            assert not out.exists()
            num_stops += 1
        assert seen > most_done
        most_done = seen
    assert num_stops > 5
    assert out.read_bytes() == (corpus / "whole.counts").read_bytes()
    assert not (corpus / "part.counts.partial").exists()


def begin(corpus):
    """A count stopped after its first segments."""
    num_calls = 0

    def stop_soon(done: int, total: int) -> None:
        nonlocal num_calls
        num_calls += 1
        if num_calls > 5:
            raise Stop

    with pytest.raises(Stop):
        count_corpus(
            corpus / "a.txt", corpus / "a.counts", [END], segment_bytes=300, chunk_bytes=50, on_progress=stop_soon
        )
    assert (corpus / "a.counts.partial" / "progress.json").exists()


def count_again(corpus, *, special_tokens=(END,), name="a.txt", **options):
    return count_corpus(corpus / name, corpus / "a.counts", special_tokens, **options)


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"special_tokens": []}, "special_tokens"),
        ({"pattern": "gpt4"}, "pattern"),
        ({"text_key": "body"}, "text_key 'text', not 'body'"),
        ({"shard": Shard(1, 2)}, "shard '1/1', not '1/2'"),
        ({"name": "c.jsonl"}, "inputs"),
    ],
)
def test_other_settings_are_refused(corpus, changes, message, is_finished):
    """Oracle: the setting's name in the message. What was counted is kept."""
    begin(corpus)
    if is_finished:
        count_again(corpus)
    with pytest.raises(DataError, match=rf"a\.counts.*{message}"):
        count_again(corpus, **changes)
    assert count_again(corpus).num_pretokens == len(expected_of(num_texts=1, num_lines=0))


def test_inputs_written_to_meanwhile_are_refused(corpus):
    """Oracle: the remedy in the message."""
    begin(corpus)
    text = (corpus / "a.txt").read_bytes()
    (corpus / "a.txt").write_bytes(text)
    with pytest.raises(DataError, match=r"written to after counting had begun; delete .*\.partial"):
        count_again(corpus)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1}'])
def test_damaged_progress_is_refused(corpus, content):
    """Oracle: the file's name in the message."""
    begin(corpus)
    (corpus / "a.counts.partial" / "progress.json").write_text(content)
    with pytest.raises(DataError, match=r"progress\.json: (not valid JSON|version None|expected the keys).*; delete"):
        count_again(corpus)


def test_a_finished_file_is_left_as_it_is(corpus):
    """Oracle: its time of change; but damage is noticed."""
    first = count_again(corpus)
    before = (corpus / "a.counts").stat().st_mtime_ns
    assert count_again(corpus) == first
    assert (corpus / "a.counts").stat().st_mtime_ns == before
    content = bytearray((corpus / "a.counts").read_bytes())
    content[-100] ^= 1
    (corpus / "a.counts").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.counts: not an intact file of counts"):
        count_again(corpus)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DataError, "empty"),
        (b"good text\xff more", DataError, r"byte 9\b"),
        (None, MissingFileError, "no such file"),
    ],
)
def test_what_fails_at_once_leaves_nothing(tmp_path, content, error, message):
    """Oracle: the directory's listing."""
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    before = set(tmp_path.iterdir())
    with pytest.raises(error, match=rf"bad\.txt.*{message}"):
        count_corpus(path, tmp_path / "bad.counts", [])
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_bytes": 0}, "chunk_bytes = 0"),
        ({"segment_bytes": 0}, "segment_bytes = 0"),
        ({"num_threads": 0}, "num_threads = 0"),
        ({"pattern": ""}, "pattern is empty"),
        ({"max_memory_bytes": 1000}, "max_memory = 1,000 bytes is too little"),
    ],
)
def test_bad_arguments_are_refused(corpus, options, message):
    """Oracle: the argument's name in the message."""
    with pytest.raises(ConfigError, match=message):
        count_corpus(corpus / "a.txt", corpus / "a.counts", [END], **options)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "3", "a/b", "1/-1", ""])
def test_impossible_shards_are_refused(text):
    """Oracle: the message says what to write, or what there is."""
    with pytest.raises(ConfigError, match=r"shard"):
        Shard.parse(text)


def test_a_file_that_becomes_shorter_is_noticed(corpus):
    """The core reads less than was there a moment ago."""
    counter = _native.Counter([END], _native.GPT2_PATTERN, 1, 64, None, corpus, None)
    size = (corpus / "a.txt").stat().st_size
    assert counter.count_file(corpus / "a.txt", 0, size + 10, 2**40, ignore_progress) == size
    assert counter.count_file(corpus / "a.txt", size, size + 10, 2**40, ignore_progress) == size
