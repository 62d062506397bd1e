"""The slow tokenizer, which is the oracle of the fast one's tests, against what can be known without it."""

import doctest

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from homespun.tokenizer import reference
from homespun.tokenizer.reference_splitting import SPLITS

GPT2 = regex.compile(r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")
# \Z where cl100k has $, which Python also matches before a last line break.
GPT4 = regex.compile(
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
    r"""|\s++\Z|\s*[\r\n]|\s+(?!\S)|\s"""
)

O200K = regex.compile(
    r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
    r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
    r"""|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)

# Every class of character, whatever the patterns treat apart, and characters that change length in lower case.
TRICKY = st.text(
    st.sampled_from(
        "aZ\u0130\u212a\u4e2d1\u0662\xb2 \t\n\r\xa0\u3000'sS\u017ftlLvVrReE.!/\U0001f600\0\x1c\u200d"
        "\u0301\u02b0\u01c5\xc9\xe9"
    )
)

# Unicode of `regex` is newer than 16.0, and Python's is older: what Python knows, both class alike.
ASSIGNED = st.characters(exclude_categories=["Cn", "Cs"])


def test_examples_in_the_docstrings_hold():
    """Oracle: the assignment's worked example of training, derived by hand."""
    results = doctest.testmod(reference)
    assert results.attempted > 0
    assert results.failed == 0


def test_worked_example_to_the_end():
    """Oracle: the assignment's list of merges for low, lower, widest and newest."""
    counts = {b"low": 5, b"lower": 2, b"widest": 3, b"newest": 6}
    merges = [b" ".join(pair) for pair in reference.train_merges(counts, num_tokens=12)]
    assert b", ".join(merges) == b"s t, e st, o w, l ow, w est, n e, ne west, w i, wi d, wid est, low e, lowe r"


def test_ties_go_to_the_greater_pair():
    """Oracle: the assignment's example, in which ("BA", "A") is the greatest of four equally frequent pairs."""
    pairs = [(b"A", b"B"), (b"A", b"C"), (b"B", b"ZZ"), (b"BA", b"A")]
    assert max(pairs) == (b"BA", b"A")
    counts = {b"ab": 3, b"ac": 3, b"bz": 3}
    assert reference.train_merges(counts, num_tokens=1) == [(b"b", b"z")]


@pytest.mark.parametrize(
    ("split", "pattern"),
    [(SPLITS["gpt2"], GPT2), (SPLITS["gpt4"], GPT4), (SPLITS["o200k"], O200K)],
    ids=SPLITS,
)
@given(text=TRICKY | st.text(ASSIGNED))
def test_splitting_equals_the_pattern(split, pattern, text):
    """Oracle: the pattern itself, run by `regex`."""
    assert list(split(text)) == [match.group() for match in pattern.finditer(text)]


@given(text=TRICKY)
def test_pretokens_join_to_the_text(text):
    """Oracle: identity."""
    for split in SPLITS.values():
        assert "".join(split(text)) == text


def test_special_tokens_are_cut_out_longest_first():
    """Oracle: derived by hand."""
    pieces = list(reference.split_special("x<a><a>b<a", ["<a>", "<a><a>"]))
    assert pieces == [("x", False), ("<a><a>", True), ("b<a", False)]


@given(text=st.text("abc \u20ac", max_size=60), num_merges=st.integers(0, 30))
def test_decoding_inverts_encoding(text, num_merges):
    """Oracle: identity."""
    vocab, merges = reference.train_bpe(text, 257 + num_merges, ["<|endoftext|>"])
    ids = {token: id_ for id_, token in vocab.items()}
    encoded = reference.encode(text + "<|endoftext|>", ids, merges, {"<|endoftext|>": 0})
    assert encoded[-1] == 0
    assert reference.decode(encoded, vocab) == text + "<|endoftext|>"


@given(counts=st.dictionaries(st.text("ab", min_size=1, max_size=12).map(str.encode), st.integers(1, 5)))
def test_training_never_makes_a_token_twice(counts):
    """Oracle: what happens between a token's two ends does not depend on what is outside, so one pair makes it."""
    merges = reference.train_merges(counts, num_tokens=200)
    made = [left + right for left, right in merges]
    assert len(set(made)) == len(made)
