"""Counting and training through the border: progress, Ctrl-C, errors."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homespun import _native
from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.progress import ignore_progress

GPT2 = _native.GPT2_PATTERN


def count(path, *, special_tokens=(), pattern=GPT2, num_threads=2, chunk_bytes=64, on_progress=ignore_progress):
    counter = _native.Counter(list(special_tokens), pattern, num_threads, chunk_bytes, None, ".")
    num_bytes = Path(path).stat().st_size if Path(path).exists() else 1
    counter.count_file(path, 0, num_bytes, on_progress)
    return counter.finish()


def test_split_gives_the_text_back():
    assert _native.split("I'll  go", GPT2) == ["I", "'ll", " ", " go"]
    assert _native.split("a1b", "[a-z]") == ["a", "1", "b"]


def test_counts_are_sums():
    """Derived by hand."""
    counts = _native.PretokenCounts([(b"b", 2), (b"a", 1), (b"b", 2**40)])
    assert counts.items() == [(b"a", 1), (b"b", 2**40 + 2)]
    assert (len(counts), counts.total) == (2, 2**40 + 3)


def test_a_file_is_counted(tmp_path):
    """Derived by hand; special tokens count nothing."""
    path = tmp_path / "text.txt"
    path.write_bytes(b"low low<|end|>low")
    assert count(path, special_tokens=["<|end|>"]).items() == [(b" low", 1), (b"low", 2)]
    assert count(str(path), special_tokens=["<|end|>"]).total == 3


def test_worked_example():
    """Derived by hand from the assignment's example."""
    counts = _native.PretokenCounts([(b"low", 5), (b"lower", 2), (b"widest", 3), (b"newest", 6)])
    merges = _native.MergeTrainer(counts, [], "bytes", [], 1).merge(6, ignore_progress)
    assert [left + right for left, right in merges] == [b"st", b"est", b"ow", b"low", b"west", b"ne"]


def test_the_last_news_always_arrives(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"some words " * 100)
    news = []
    counts = count(path, on_progress=lambda done, total: news.append((done, total)))
    assert news[-1] == (1100, 1100)
    _native.MergeTrainer(counts, [], "bytes", [], 1).merge(4, lambda done, total: news.append((done, total)))
    assert news[-1] == (4, 4)


def test_what_the_callback_raises_is_raised(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"some words " * 100)

    def refuse(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        count(path, on_progress=refuse)


def test_ctrl_c_stops_counting(tmp_path):
    """An interrupt in the midst of counting is raised there: this loop has no other end."""
    path = tmp_path / "text.txt"
    path.write_bytes(b"some words " * 400_000)

    def count_again_and_again() -> None:
        while True:
            count(path, chunk_bytes=1, num_threads=1)

    # A test run spread over processes ignores Ctrl-C in all but the first.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            count_again_and_again()
    finally:
        signal.signal(signal.SIGINT, before)


def test_bad_input_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    with pytest.raises(MissingFileError):
        count(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        count(path)
    path.write_bytes(b"good " * 50 + b"\xff bad")
    with pytest.raises(DataError, match="byte 250 is not valid UTF-8"):
        count(path)
    with pytest.raises(ConfigError, match="cannot be used"):
        count(path, pattern="(")
    with pytest.raises(ConfigError, match="given twice"):
        count(path, special_tokens=["a", "a"])
    with pytest.raises(UnicodeEncodeError):
        _native.split("\ud800", GPT2)


def test_what_an_iterator_raises_is_raised():
    """Of whatever kind, in the midst of counting; the threads that count have ended then."""
    counter = _native.Counter([], GPT2, 2, 4, None, ".")

    def fail_after(*items: Any) -> Iterator[Any]:
        yield from items
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        counter.count_documents(fail_after(["some words"], ["more"]))
    with pytest.raises(RuntimeError, match="enough"):
        counter.count_text(fail_after(b"some words", b" more"), "place")
    with pytest.raises(UnicodeEncodeError):
        counter.count_documents([["\ud800"]])
    with pytest.raises(TypeError):
        counter.count_documents([[b"bytes"]])
    with pytest.raises(TypeError):
        counter.count_text(["text"], "place")


@pytest.mark.parametrize("num_threads", [1, 2])
def test_text_is_counted_however_it_is_divided(num_threads):
    """Oracle: the same text in one chunk, on one thread."""
    chunks = [b"some wo", b"rds<|e", b"nd|>", b"", b"and so", b"me more " * 9, b"end"]
    whole = _native.Counter(["<|end|>"], GPT2, 1, 8, None, ".")
    whole.count_text([b"".join(chunks)], "place")
    counter = _native.Counter(["<|end|>"], GPT2, num_threads, 8, None, ".")
    counter.count_text(chunks, "place")
    assert counter.finish().items() == whole.finish().items()


def test_a_counter_gives_its_counts_once(tmp_path):
    """Derived by hand."""
    counter = _native.Counter([], GPT2, 1, 64, None, tmp_path)
    counter.count_documents([["low low"], ["low"]])
    assert counter.finish().items() == [(b" low", 1), (b"low", 2)]
    for use in (counter.finish, lambda: counter.count_documents([])):
        with pytest.raises(RuntimeError, match="counter has given its result away"):
            use()
