"""Training on small texts, and what it refuses."""

import re
import subprocess
import sys

import pytest

from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.tokenizer import (
    CountOptions,
    Tokenizer,
    reference,
    train_bpe,
    train_bpe_from_counts,
    train_bpe_from_iterator,
)
from homespun.tokenizer.reference_splitting import SPLITS
from refusals import refuses

COUNTS = {b"low": 5, b"lower": 2, b"widest": 3, b"newest": 6}


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"low low low<|endoftext|>lower newest widest\nnewest low\n")
    return path


def test_worked_example():
    """Oracle: the assignment's list of merges for low, lower, widest and newest."""
    vocab, merges = train_bpe_from_counts(COUNTS, 256 + 12, [])
    words = [b" ".join(pair) for pair in merges]
    assert b", ".join(words) == b"s t, e st, o w, l ow, w est, n e, ne west, w i, wi d, wid est, low e, lowe r"
    assert len(vocab) == 268


def test_vocabulary_order():
    """Oracle: the order documented: special tokens from 0, the bytes, the merges."""
    vocab, merges = train_bpe_from_counts(COUNTS, 260, ["<a>", "<b>"])
    assert vocab[0] == b"<a>"
    assert vocab[1] == b"<b>"
    assert [vocab[2 + byte] for byte in range(256)] == [bytes([byte]) for byte in range(256)]
    assert [vocab[258], vocab[259]] == [left + right for left, right in merges]


def test_training_stops_where_no_pair_is_left():
    """Oracle: three letters make two pairs."""
    vocab, merges = train_bpe_from_counts({b"abc": 1}, 1000, [])
    assert merges == [(b"b", b"c"), (b"a", b"bc")]
    assert len(vocab) == 258


def test_counts_of_zero_and_single_bytes_make_no_merge():
    """Oracle: derived by hand."""
    assert train_bpe_from_counts({b"ab": 0, b"x": 7, b"": 3}, 300, [])[1] == []


def test_counts_beyond_32_bits_are_kept_apart():
    """Oracle: 2**32 + 1 > 2**32, which is 1 > 0 in 32 bits, and 2**31 > 5, which is negative there."""
    counts = {b"ab": 2**32, b"cd": 2**32 + 1, b"ef": 5, b"gh": 2**31}
    assert train_bpe_from_counts(counts, 260, [])[1] == [(b"c", b"d"), (b"a", b"b"), (b"g", b"h"), (b"e", b"f")]


def test_counts_that_are_kept_are_found_again(corpus, tmp_path):
    """Oracle: training without them, and the time at which their file was written."""
    path = tmp_path / "corpus.counts"
    kept = CountOptions(counts_path=path)
    assert train_bpe(corpus, 262, ["<|endoftext|>"], options=kept) == train_bpe(corpus, 262, ["<|endoftext|>"])
    written = path.stat().st_mtime_ns
    assert train_bpe(corpus, 270, ["<|endoftext|>"], options=kept) == train_bpe(corpus, 270, ["<|endoftext|>"])
    assert path.stat().st_mtime_ns == written
    with refuses(DataError, path, "special_tokens"):
        train_bpe(corpus, 270, [], options=kept)


def test_a_cluster_needs_a_place_for_the_counts(corpus):
    """Oracle: both fields in the message."""
    with refuses(ConfigError, "cluster = 'auto'", "counts_path"):
        train_bpe(corpus, 262, [], options=CountOptions(cluster="auto"))


@pytest.mark.parametrize("num_threads", [1, 3])
def test_strings_train_what_their_file_trains(num_threads, tmp_path):
    """Oracle: training on a file of the texts with special tokens between them, which cut nothing more."""
    specials = ["<|endoftext|>", "<|end", "<|end|>"]
    texts = [f"low lower <|end|>lowest {n} caf\u00e9<|endoftext|>" + "new " * (n % 5) for n in range(99)] + [""]
    path = tmp_path / "corpus.txt"
    path.write_text("<|endoftext|>".join(texts))
    options = CountOptions(num_threads=num_threads)
    found = train_bpe_from_iterator(iter(texts), 300, specials, options=options)
    assert found == train_bpe(path, 300, specials)
    assert train_bpe_from_iterator(texts, 300, []) != found
    with refuses(DataError, "texts"):
        train_bpe_from_iterator([], 300, specials)
    with refuses(DataError, "texts"):
        train_bpe_from_iterator(["", ""], 300, [])


def test_extending_needs_the_pattern_of_the_tokenizer(corpus):
    """Oracle: the pattern in the message, for text in files and in strings."""
    small = Tokenizer(*train_bpe_from_counts(COUNTS, 258, []))
    with refuses(ConfigError, "pattern = 'gpt4'"):
        train_bpe(corpus, 270, [], pattern="gpt4", extend=small)
    with refuses(ConfigError, "pattern = 'gpt4'"):
        train_bpe_from_iterator(["low"], 270, [], pattern="gpt4", extend=small)


def test_special_tokens_take_no_part(corpus):
    """Oracle: the slow reference, and that no merge holds characters of the special token."""
    vocab, merges = train_bpe(corpus, 280, ["<|endoftext|>"])
    assert (vocab, merges) == reference.train_bpe(corpus.read_text(), 280, ["<|endoftext|>"])
    assert not any(b"<" in left + right or b"|" in left + right for left, right in merges)


@pytest.mark.parametrize("num_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("chunk_bytes", [1, 2, 7, 64, 10**6])
def test_threads_and_chunks_change_nothing(num_threads, chunk_bytes, tmp_path):
    """Oracle: the slow reference; characters, words, white space and special tokens are cut by small chunks."""
    text = (
        "caf\u00e9 \u4e2d\u6587\u6587  \n\n\U0001f600\U0001f600 it's<|endoftext|>  the <|end the end<|endoftext|>" * 9
    )
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode())
    options = CountOptions(num_threads=num_threads, chunk_bytes=chunk_bytes)
    found = train_bpe(path, 300, ["<|endoftext|>"], options=options)
    assert found == reference.train_bpe(text, 300, ["<|endoftext|>"])


@pytest.mark.parametrize(("pattern", "split"), SPLITS.items(), ids=SPLITS)
def test_patterns_by_name(pattern, split, tmp_path):
    """Oracle: the slow reference."""
    text = "It'S 12345  \n\n here\r\n!!!\n it's 'sSO (so) 1234\n \n"
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode())
    assert train_bpe(path, 300, [], pattern=pattern) == reference.train_bpe(text, 300, [], split)


def test_a_custom_pattern(tmp_path):
    """Oracle: the slow reference with Python's `re`: words, and the white space between them."""
    text = "low lower  lowest\nlow"
    path = tmp_path / "corpus.txt"
    path.write_text(text)
    found = train_bpe(path, 270, [], pattern=r"[^ \n]+")
    assert found == reference.train_bpe(text, 270, [], lambda piece: filter(None, re.split(r"([^ \n]+)", piece)))


def test_progress_stays_within_the_whole(tmp_path):
    """Oracle: the bytes of the file, then the tokens asked for."""
    path = tmp_path / "corpus.txt"
    path.write_bytes("".join(f"{number:x} " for number in range(10**6)).encode())
    calls = []
    options = CountOptions(chunk_bytes=1000, num_threads=1)
    train_bpe(path, 300, [], options=options, on_progress=lambda *pair: calls.append(pair))
    assert {total for _, total in calls} <= {path.stat().st_size, 44}
    assert all(0 <= done <= total for done, total in calls)


@pytest.mark.parametrize(
    ("data", "error", "fact"),
    [
        (b"", DataError, "empty"),
        (b"good text\xff more", DataError, "byte 9 "),
        (b"cut short \xe4\xb8", DataError, "byte 10 "),
        (b"\xed\xa0\x80", DataError, "byte 0 "),
    ],
    ids=["empty", "stray byte", "cut character", "surrogate"],
)
@pytest.mark.parametrize("chunk_bytes", [1, 4, 2**20])
def test_bad_text_is_refused_with_its_place(data, error, fact, chunk_bytes, tmp_path):
    """Oracle: the offset at which Python's decoder fails."""
    path = tmp_path / "bad.txt"
    path.write_bytes(data)
    with refuses(error, path, fact):
        train_bpe(path, 300, [], options=CountOptions(chunk_bytes=chunk_bytes))


def test_a_late_offset_is_counted_from_the_beginning(tmp_path):
    """Oracle: derived by hand; the bad byte lies many chunks in."""
    path = tmp_path / "bad.txt"
    path.write_bytes(b"some words " * 1000 + b"\xff")
    with refuses(DataError, path, "byte 11000 "):
        train_bpe(path, 300, [], options=CountOptions(num_threads=2, chunk_bytes=64))


def test_missing_input_is_named(tmp_path):
    """Oracle: the path in the message."""
    with refuses(MissingFileError, tmp_path / "nowhere.txt"):
        train_bpe(tmp_path / "nowhere.txt", 300, [])
    with refuses(DataError, tmp_path, "is a directory"):
        train_bpe(tmp_path, 300, [])


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        ({"vocab_size": 256}, ["vocab_size = 256"]),
        ({"special_tokens": ["<a>", "<a>"]}, ["'<a>'"]),
        ({"special_tokens": [""]}, ["special_tokens", "empty"]),
        ({"special_tokens": ["\ud800"]}, ["special_tokens", "surrogate"]),
        ({"options": {"num_threads": 0}}, ["num_threads = 0"]),
        ({"options": {"chunk_bytes": 0}}, ["chunk_bytes = 0"]),
        ({"pattern": ""}, ["pattern", "empty"]),
        ({"pattern": "(unclosed"}, ["pattern", "(unclosed"]),
    ],
)
def test_bad_arguments_are_refused(arguments, facts, corpus):
    """Oracle: the argument's name and value in the message."""
    given = {"vocab_size": 300, "special_tokens": ["<|endoftext|>"]} | arguments
    with refuses(ConfigError, *facts):
        train_bpe(corpus, **given | {"options": CountOptions(**given.get("options", {}))})


WRONG_TYPES = """
from homespun.errors import HomespunError
from homespun.tokenizer import train_bpe, train_bpe_from_iterator

for call, facts in (
    (lambda: train_bpe("a.txt", 300, "<|endoftext|>"), ["special_tokens = '<|endoftext|>'", "['<|endoftext|>']"]),
    (lambda: train_bpe("a.txt", 300, [b"<a>"]), ["special_tokens", "b'<a>'", "string"]),
    (lambda: train_bpe("a.txt", "300", []), ["vocab_size = '300'", "whole number"]),
    (lambda: train_bpe(["hello world"], 300, []), ["hello world", "train_bpe_from_iterator"]),
    (lambda: train_bpe_from_iterator("hello", 300, []), ["texts = 'hello'", "['hello']"]),
    (lambda: train_bpe_from_iterator(["hello", b"x"], 300, []), ["texts[1] = b'x'", "string"]),
):
    try:
        call()
    except HomespunError as error:
        missing = [fact for fact in facts if fact not in str(error)]
        assert not missing and "\\n" not in str(error), (str(error), missing)
    else:
        raise AssertionError(facts)
"""


def test_arguments_of_a_wrong_type_are_named():
    """Oracle: argument, value and what is expected, in the message. In a process without the hook that checks types."""
    done = subprocess.run([sys.executable, "-c", WRONG_TYPES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [-1, 2**64])
def test_impossible_counts_are_refused(count):
    """Oracle: the pre-token in the message."""
    with refuses(DataError, "counts[b'ab']", count):
        train_bpe_from_counts({b"ab": count}, 300, [])
