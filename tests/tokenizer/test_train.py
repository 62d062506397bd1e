"""Training on small texts, and what it refuses."""

import pytest

from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.tokenizer import reference, train_bpe, train_bpe_from_counts
from homespun.tokenizer.reference_splitting import SPLITS

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
    assert train_bpe(corpus, 262, ["<|endoftext|>"], counts_path=path) == train_bpe(corpus, 262, ["<|endoftext|>"])
    written = path.stat().st_mtime_ns
    assert train_bpe(corpus, 270, ["<|endoftext|>"], counts_path=path) == train_bpe(corpus, 270, ["<|endoftext|>"])
    assert path.stat().st_mtime_ns == written
    with pytest.raises(DataError, match=r"corpus\.counts: was counted with special_tokens"):
        train_bpe(corpus, 270, [], counts_path=path)


def test_a_cluster_needs_a_place_for_the_counts(corpus):
    with pytest.raises(ConfigError, match="cluster = 'auto' needs counts_path"):
        train_bpe(corpus, 262, [], cluster="auto")


def test_special_tokens_take_no_part(corpus):
    """Oracle: the slow reference, and that no merge holds a piece of the special token."""
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
    found = train_bpe(path, 300, ["<|endoftext|>"], num_threads=num_threads, chunk_bytes=chunk_bytes)
    assert found == reference.train_bpe(text, 300, ["<|endoftext|>"])


@pytest.mark.parametrize(("pattern", "split"), SPLITS.items(), ids=SPLITS)
def test_patterns_by_name(pattern, split, tmp_path):
    """Oracle: the slow reference."""
    text = "It'S 12345  \n\n here\r\n!!!\n it's 'sSO (so) 1234\n \n"
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode())
    assert train_bpe(path, 300, [], pattern=pattern) == reference.train_bpe(text, 300, [], split)


def test_a_free_pattern(tmp_path):
    """Oracle: the slow reference with Python's str.split, which is what the pattern does."""
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"low lower  lowest\nlow")
    found = train_bpe(path, 270, [], pattern=r"[^ \n]+")
    assert found == reference.train_bpe("low lower  lowest\nlow", 270, [], str.split)


def test_progress_stays_within_the_whole(tmp_path):
    """Oracle: the bytes of the file, then the tokens asked for."""
    path = tmp_path / "corpus.txt"
    path.write_bytes("".join(f"{number:x} " for number in range(10**6)).encode())
    news = []
    train_bpe(path, 300, [], chunk_bytes=1000, num_threads=1, on_progress=lambda *pair: news.append(pair))
    assert {total for _, total in news} <= {path.stat().st_size, 44}
    assert all(0 <= done <= total for done, total in news)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", DataError, "empty"),
        (b"good text\xff more", DataError, r"byte 9\b"),
        (b"cut short \xe4\xb8", DataError, r"byte 10\b"),
        (b"\xed\xa0\x80", DataError, r"byte 0\b"),
    ],
    ids=["empty", "stray byte", "cut character", "surrogate"],
)
@pytest.mark.parametrize("chunk_bytes", [1, 4, 2**20])
def test_bad_text_is_refused_with_its_place(data, error, message, chunk_bytes, tmp_path):
    """Oracle: the offset at which Python's decoder fails."""
    path = tmp_path / "bad.txt"
    path.write_bytes(data)
    with pytest.raises(error, match=f"bad.txt.*{message}"):
        train_bpe(path, 300, [], chunk_bytes=chunk_bytes)


def test_a_late_offset_is_counted_from_the_beginning(tmp_path):
    """Oracle: derived by hand; the bad byte lies many chunks in."""
    path = tmp_path / "bad.txt"
    path.write_bytes(b"some words " * 1000 + b"\xff")
    with pytest.raises(DataError, match=r"byte 11000\b"):
        train_bpe(path, 300, [], num_threads=2, chunk_bytes=64)


def test_missing_input_is_named(tmp_path):
    """Oracle: the path in the message."""
    with pytest.raises(MissingFileError, match=r"nowhere\.txt: no such file"):
        train_bpe(tmp_path / "nowhere.txt", 300, [])
    with pytest.raises(DataError, match="is a directory"):
        train_bpe(tmp_path, 300, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocab_size": 256}, "vocab_size = 256 is too small"),
        ({"special_tokens": ["<a>", "<a>"]}, "'<a>' stands there twice"),
        ({"special_tokens": [""]}, "empty"),
        ({"num_threads": 0}, "num_threads = 0"),
        ({"chunk_bytes": 0}, "chunk_bytes = 0"),
        ({"pattern": ""}, "pattern is empty"),
    ],
)
def test_bad_arguments_are_refused(arguments, message, corpus):
    """Oracle: the argument's name in the message."""
    with pytest.raises(ConfigError, match=message):
        train_bpe(corpus, **{"vocab_size": 300, "special_tokens": ["<|endoftext|>"]} | arguments)


def test_a_malformed_pattern_is_refused(corpus):
    """Oracle: the pattern in the message."""
    with pytest.raises(ConfigError, match=r"pattern .\(unclosed"):
        train_bpe(corpus, 300, [], pattern="(unclosed")


@pytest.mark.parametrize("count", [-1, 2**64])
def test_impossible_counts_are_refused(count):
    """Oracle: the pre-token in the message."""
    with pytest.raises(DataError, match=r"counts\[b'ab'\]"):
        train_bpe_from_counts({b"ab": count}, 300, [])
