"""Counting corpora: every kind of input, ranges, memory, interruptions."""

import gzip
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from homespun import _native
from homespun.cluster import run_tasks
from homespun.corpus.division import FileRange
from homespun.corpus.inputs import InputFile, expand_inputs
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.progress import ignore_progress
from homespun.tokenizer import CountOptions, reference
from homespun.tokenizer.counting import counter, job, options
from homespun.tokenizer.counting.counter import CountJob
from homespun.tokenizer.counting.file import read_counts
from homespun.tokenizer.counting.job import RECORD_NAME, count_corpus, count_pretokens
from refusals import refuses

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


def all_of(corpus: Path) -> list[Path]:
    return [corpus / name for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.jsonl.gz")]


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


def count(
    corpus: Path, name: str = "a.txt", *, special_tokens=(END,), pattern="gpt2", on_progress=ignore_progress, **how
):
    """Count one file into a.counts."""
    return count_corpus(
        expand_inputs(corpus / name),
        corpus / "a.counts",
        special_tokens,
        pattern=pattern,
        options=CountOptions(**how),
        on_progress=on_progress,
    )


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("range_bytes", [3000, 2**30])
def test_every_kind_of_file_is_counted(corpus, num_threads, range_bytes, monkeypatch):
    """Oracle: the slow reference. The bytes of the file depend neither on threads nor on ranges."""
    monkeypatch.setattr(counter, "_BATCH_BYTES", 300)
    out, inputs, calls = corpus / "all.counts", expand_inputs(all_of(corpus)), []
    how = CountOptions(num_threads=num_threads, range_bytes=range_bytes, chunk_bytes=100)
    sums = count_corpus(inputs, out, [END], options=how, on_progress=lambda *call: calls.append(call))
    expected = expected_of()
    assert dict(read_counts([out]).items()) == expected
    assert (sums.num_pretokens, sums.total) == (len(expected), sum(expected.values()))
    assert sums.num_bytes == sum(map(len, expected))
    total = sum(file.state().num_bytes for file in inputs)
    assert calls[-1] == (total, total)
    assert all(before <= after <= total for (before, _), (after, _) in pairwise(calls))
    count_corpus(inputs, corpus / "again.counts", [END])
    assert out.read_bytes() == (corpus / "again.counts").read_bytes()
    assert not list(corpus.glob("*.ranges"))
    assert dict(count_pretokens(inputs, [END]).items()) == expected


def test_a_cluster_writes_the_same_file(corpus, monkeypatch):
    """Oracle: counting here. The cluster is this process; a real one: tests/integration/test_ray.py."""
    tasks = []

    def run_here(work, shared, given, *, cluster, **named):
        tasks.extend(given)
        return run_tasks(work, shared, given, cluster=None, **named)

    monkeypatch.setattr(job, "run_tasks", run_here)
    monkeypatch.setattr(job, "_FAN_IN", 3)
    calls = []
    how = CountOptions(range_bytes=2000, cluster="here")
    out = corpus / "cluster.counts"
    count_corpus(expand_inputs(all_of(corpus)), out, [END], options=how, on_progress=lambda *call: calls.append(call))
    count_corpus(expand_inputs(all_of(corpus)), corpus / "here.counts", [END])
    assert out.read_bytes() == (corpus / "here.counts").read_bytes()
    total = sum(path.stat().st_size for path in all_of(corpus))
    assert calls[-1] == (total, total)
    assert any("merged-2" in str(task) for task in tasks)
    ranges = [first for first in (task.sources[0] for task in tasks) if isinstance(first, FileRange)]
    assert ranges
    assert all(Path(first.file.location).is_absolute() for first in ranges)


def test_little_memory_changes_nothing(corpus, monkeypatch):
    """Oracle: as much memory as it takes. Far fewer bytes than one table would take spill every few words."""
    monkeypatch.setattr(options, "_LEAST_COUNTING_BYTES", 0)
    inputs, limit = expand_inputs([corpus / "a.txt", corpus / "c.jsonl"]), options.PYTHON_TO_COUNT_BYTES + 1
    count_corpus(inputs, corpus / "much.counts", [END])
    how = CountOptions(max_memory_bytes=limit, range_bytes=2000, spill_dir=corpus)
    count_corpus(inputs, corpus / "little.counts", [END], options=how)
    assert (corpus / "little.counts").read_bytes() == (corpus / "much.counts").read_bytes()


def test_a_file_named_twice_is_counted_once(corpus):
    """Oracle: counting the file itself. It is named by a link, by another path, and as a string."""
    (corpus / "link.txt").symlink_to(corpus / "a.txt")
    (corpus / "in").mkdir()
    names = expand_inputs([corpus / "a.txt", corpus / "link.txt", str(corpus / "in" / ".." / "a.txt")])
    assert count_pretokens(names, [END]).items() == count_pretokens(expand_inputs(corpus / "a.txt"), [END]).items()
    count_corpus(names, str(corpus / "twice.counts"), [END])
    count(corpus)
    assert (corpus / "twice.counts").read_bytes() == (corpus / "a.counts").read_bytes()


def test_a_json_line_beyond_the_memory_is_refused(tmp_path):
    """Oracle: its place. Compressed it is small, but a line is held whole; without a limit it is counted."""
    path = tmp_path / "long.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "short"}\n{"text": "' + b"long " * 600_000 + b'"}\n'))
    with refuses(DataError, f"{path}", "2"):
        limit = CountOptions(max_memory_bytes=options.PYTHON_TO_TRAIN_BYTES + (8 << 20))
        count_pretokens(expand_inputs(path), [], options=limit)
    assert count_pretokens(expand_inputs(path), []).total == 600_002


class Stop(Exception):
    """What interrupts a count."""


def test_an_interrupted_count_resumes(corpus):
    """Oracle: a count that nobody interrupted. Each call is stopped a little later than the one before."""
    inputs = expand_inputs([corpus / name for name in ("c.jsonl", "a.txt", "b.txt.gz")])
    count_corpus(inputs, corpus / "whole.counts", [END])
    out, limit, num_stops = corpus / "part.counts", 0, 0
    how = CountOptions(range_bytes=1500, chunk_bytes=50, num_threads=2)
    kept: dict[str, int] = {}
    while not out.exists():
        limit += 3500

        def stop_later(done: int, total: int, limit: int = limit) -> None:
            if limit < done < total:
                raise Stop

        try:
            count_corpus(inputs, out, [END], options=how, on_progress=stop_later)
        except Stop:
            assert not out.exists()
            num_stops += 1
        else:
            break
        written = {path.name: path.stat().st_mtime_ns for path in (corpus / "part.counts.ranges").glob("range-*")}
        assert kept.items() <= written.items(), "a finished range was counted again"
        kept = written
    assert num_stops > 3
    assert len(kept) > 3
    assert out.read_bytes() == (corpus / "whole.counts").read_bytes()
    assert not (corpus / "part.counts.ranges").exists()


def begin(corpus: Path) -> None:
    """Leave a count that was stopped after its first ranges."""

    def stop_soon(done: int, total: int) -> None:
        if done > total / 3:
            raise Stop

    with pytest.raises(Stop):
        count(corpus, range_bytes=3000, chunk_bytes=50, on_progress=stop_soon)
    assert list((corpus / "a.counts.ranges").glob("*.counts"))


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"special_tokens": []}, ["special_tokens", [], [END]]),
        ({"pattern": "gpt4"}, ["pattern"]),
        ({"text_key": "body"}, ["text_key", "text", "body"]),
        ({"name": "c.jsonl"}, ["inputs"]),
    ],
)
def test_other_settings_are_refused(corpus, changes, facts, is_finished):
    """Oracle: the setting's name in the message. What was counted is kept."""
    begin(corpus)
    if is_finished:
        count(corpus)
    with refuses(DataError, corpus / "a.counts", *facts):
        count(corpus, **changes)
    assert count(corpus).num_pretokens == len(expected_of(num_texts=1, num_lines=0))


def test_another_size_of_ranges_is_no_other_setting(corpus):
    """Oracle: the slow reference; the ranges of the first call are of no use to the second."""
    begin(corpus)
    count(corpus, range_bytes=1000)
    assert dict(read_counts([corpus / "a.counts"]).items()) == expected_of(num_texts=1, num_lines=0)


def test_inputs_written_to_meanwhile_are_refused(corpus):
    """Oracle: the remedy, a directory to delete."""
    begin(corpus)
    text = (corpus / "a.txt").read_bytes()
    (corpus / "a.txt").write_bytes(text)
    with refuses(DataError, "written to", f"delete {corpus / 'a.counts.ranges'}"):
        count(corpus)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 1}'])
def test_a_damaged_record_is_refused(corpus, content):
    """Oracle: the file's name in the message."""
    begin(corpus)
    (corpus / "a.counts.ranges" / RECORD_NAME).write_text(content)
    with refuses(DataError, RECORD_NAME, "delete"):
        count(corpus)


def test_a_damaged_range_is_refused(corpus):
    """Oracle: the file's name in the message. Nobody takes the counts of a range for those of the inputs."""
    begin(corpus)
    path = min((corpus / "a.counts.ranges").glob("*.counts"))
    with refuses(DataError, path):
        read_counts([path])
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    with refuses(DataError, path):
        count(corpus, range_bytes=3000)


def test_a_finished_file_is_left_as_it_is(corpus):
    """Oracle: its time of change; but damage is noticed."""
    first = count(corpus)
    before = (corpus / "a.counts").stat().st_mtime_ns
    assert count(corpus) == first
    assert (corpus / "a.counts").stat().st_mtime_ns == before
    content = bytearray((corpus / "a.counts").read_bytes())
    content[-100] ^= 1
    (corpus / "a.counts").write_bytes(content)
    with refuses(DataError, corpus / "a.counts", "not an intact file of counts"):
        count(corpus)


@pytest.mark.parametrize("range_bytes", [5, 2**30])
@pytest.mark.parametrize(
    ("content", "error", "fact"),
    [
        (b"", DataError, "empty"),
        (b"good\xff more", DataError, "byte 4"),
        (None, MissingFileError, "no such file"),
    ],
)
def test_what_fails_at_once_leaves_nothing(tmp_path, content, error, fact, range_bytes):
    """Oracle: the directory's listing."""
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    before = set(tmp_path.iterdir())
    with refuses(error, path, fact):
        count_corpus(expand_inputs(path), tmp_path / "bad.counts", [], options=CountOptions(range_bytes=range_bytes))
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("how", "facts"),
    [
        ({"chunk_bytes": 0}, ["chunk_bytes = 0"]),
        ({"range_bytes": 0}, ["range_bytes = 0"]),
        ({"num_threads": 0}, ["num_threads = 0"]),
        ({"pattern": ""}, ["pattern", "empty"]),
        ({"max_memory_bytes": 1000}, ["max_memory", "1,000"]),
    ],
)
def test_bad_arguments_are_refused(corpus, how, facts):
    """Oracle: the argument's name in the message."""
    with refuses(ConfigError, *facts):
        count(corpus, **how)


def test_a_file_that_becomes_shorter_is_refused(corpus):
    """Oracle: the file's size: the range was longer when the corpus was divided."""
    path = corpus / "a.txt"
    size = path.stat().st_size
    counting = CountJob([END], _native.GPT2_PATTERN, CountOptions(num_threads=1, chunk_bytes=64), 0)
    with refuses(DataError, path, f"{size:,}", f"{size + 10:,}"):
        counting.count([FileRange(InputFile(str(path)), 0, size + 10)], ignore_progress)
