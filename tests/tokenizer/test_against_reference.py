"""The Rust core against the slow reference, on random corpora, texts and chunkings."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun import _native
from homespun.tokenizer import CountOptions, Tokenizer, reference, train_bpe, train_bpe_from_counts
from homespun.tokenizer.reference_splitting import SPLITS

pytestmark = pytest.mark.property

SPECIALS = ["<|e|>", "<|e|><|e|>", "<|"]

# Few letters, so that pairs tie and overlap; every class of character; special tokens, whole and in pieces.
PIECES = [
    *"aaab \n\t'sS1",
    "  ",
    "ab",
    "aaaa",
    "re",
    "\u017f",
    "\xa0",
    "\u00e9",
    "\u4e2d",
    "\U0001f600",
    "!",
    "\r\n",
    "\0",
]
PLAIN = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
TEXTS = st.lists(st.sampled_from([*PIECES, *SPECIALS, "|e", ">", "<", "e|>"]), max_size=40).map("".join)
WILD = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)


@pytest.fixture(scope="module", params=list(SPLITS))
def pattern(request):
    return request.param


@given(text=TEXTS | PLAIN | WILD)
def test_splitting_equals_the_reference(pattern, text):
    """Oracle: the slow reference's scanners."""
    assert _native.split(text, Tokenizer({0: b"a"}, [], pattern=pattern).pattern) == list(SPLITS[pattern](text))


@given(
    text=TEXTS | WILD,
    num_merges=st.integers(0, 40),
    num_specials=st.integers(0, 3),
    num_threads=st.integers(1, 3),
    chunk_bytes=st.integers(1, 40),
)
def test_training_equals_the_reference(pattern, text, num_merges, num_specials, num_threads, chunk_bytes):
    """Oracle: the slow reference; chunks of a few bytes cut characters, words, white space and special tokens."""
    specials = SPECIALS[:num_specials]
    vocab_size = 256 + num_specials + num_merges
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "corpus.txt"
        path.write_bytes((text + "a").encode())
        options = CountOptions(num_threads=num_threads, chunk_bytes=chunk_bytes)
        found = train_bpe(path, vocab_size, specials, pattern=pattern, options=options)
    assert found == reference.train_bpe(text + "a", vocab_size, specials, SPLITS[pattern])


COUNTS = st.dictionaries(st.binary(max_size=12) | st.text("ab", max_size=20).map(str.encode), st.integers(0, 9))


@given(counts=COUNTS, specials=st.sampled_from([[], ["ab"], ["<|e|>", "b", "aba", "\u0120a"]]))
def test_training_from_counts_equals_the_reference(counts, specials):
    """Oracle: the slow reference; runs of a and b make overlapping pairs and many ties."""
    for ties in ("bytes", "ids"):
        merges = train_bpe_from_counts(counts, 300 + len(specials), specials, ties=ties)[1]
        assert merges == reference.train_merges(counts, 44, specials, ties)


@given(counts=COUNTS, size=st.integers(257, 290), more=st.integers(0, 20), ties=st.sampled_from(["bytes", "ids"]))
def test_extending_equals_training_once(counts, size, more, ties):
    """Oracle: one training of the larger size."""
    whole = train_bpe_from_counts(counts, size + more, ["<|e|>"], ties=ties)
    old = Tokenizer(*train_bpe_from_counts(counts, size, ["<|e|>"], ties=ties), ["<|e|>"])
    assert train_bpe_from_counts(counts, size + more, ["<|e|>"], ties=ties, extend=old) == whole


@given(corpus=TEXTS | PLAIN, text=TEXTS | WILD, num_merges=st.integers(0, 60))
def test_encoding_equals_the_reference(pattern, corpus, text, num_merges):
    """Oracle: the slow reference, which applies one merge after the other."""
    split = SPLITS[pattern]
    vocab, merges = reference.train_bpe(corpus, 259 + num_merges, SPECIALS, split)
    tokenizer = Tokenizer(vocab, merges, SPECIALS, pattern=pattern)
    ids = {token: id_ for id_, token in vocab.items()}
    for specials, policy in ((tokenizer.special_tokens, "encode"), ({}, "text")):
        expected = reference.encode(text, ids, merges, specials, split)
        assert tokenizer.encode(text, special=policy) == expected
        assert tokenizer.encode_to_numpy(text.encode(), special=policy).tolist() == expected
        assert tokenizer.decode(expected) == text == reference.decode(expected, vocab)
        assert "".join(tokenizer.decode_stream(expected)) == text


@given(text=TEXTS | WILD, cuts=st.lists(st.integers(0, 60), max_size=12))
def test_any_chunking_gives_the_same_ids(pattern, text, cuts):
    """Oracle: `encode` of the joined text, equal to the reference by the test above."""
    vocab, merges = reference.train_bpe("aaaa abab ab's  \n\n 11 \u4e2d" * 3, 290, SPECIALS, SPLITS[pattern])
    tokenizer = Tokenizer(vocab, merges, SPECIALS, pattern=pattern)
    edges = [0, *sorted(cuts), len(text)]
    chunks = [text[begin:end] for begin, end in pairwise(edges)]
    for policy in ("encode", "text"):
        assert list(tokenizer.encode_iterable(chunks, special=policy)) == tokenizer.encode(text, special=policy)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=12))
def test_any_chunking_gives_the_same_ids_under_a_free_pattern(text, cuts):
    """Oracle: `encode` of the joined text; the pattern looks back and ahead any distance."""
    tokenizer = Tokenizer({i: bytes([i]) for i in range(256)}, [], SPECIALS, pattern=r"(?<=a)\w+(?=.*b)|[^\w]+|.")
    edges = [0, *sorted(cuts), len(text)]
    chunks = [text[begin:end] for begin, end in pairwise(edges)]
    assert list(tokenizer.encode_iterable(chunks)) == tokenizer.encode(text)


@given(ids=st.lists(st.integers(0, 258)))
def test_decoding_any_ids_equals_the_reference(ids):
    """Oracle: the slow reference, which joins bytes and replaces what is malformed."""
    tokenizer = Tokenizer({byte: bytes([byte]) for byte in range(256)}, [], SPECIALS)
    assert tokenizer.decode(ids) == reference.decode(ids, tokenizer.vocab)
    assert "".join(tokenizer.decode_stream(ids)) == reference.decode(ids, tokenizer.vocab)


@given(st.data())
def test_long_runs_equal_the_reference(data):
    """Oracle: the slow reference; pieces longer than 64 bytes are merged by another algorithm than words."""
    run = data.draw(st.text("ab", min_size=60, max_size=300))
    merges = reference.train_merges({b"aabab": 3, b"aaaa": 2, run[:40].encode(): 1}, 30)
    tokens = [*(bytes([byte]) for byte in range(256)), *(left + right for left, right in merges)]
    tokenizer = Tokenizer(dict(enumerate(tokens)), merges)
    expected = reference.encode_pretoken(run.encode(), merges)
    assert [tokenizer.id_to_token(id_) for id_ in tokenizer.encode(run)] == expected
