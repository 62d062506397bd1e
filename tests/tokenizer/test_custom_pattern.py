"""Custom patterns: no text is lost, whatever the pattern matches; and names of patterns."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun import _native
from homespun.errors import ConfigError
from homespun.tokenizer import CountOptions, Tokenizer, reference, train_bpe
from homespun.tokenizer.config import TokenizerConfig
from homespun.tokenizer.patterns import PATTERNS, resolve_pattern
from homespun.tokenizer.reference_splitting import split_at_matches
from refusals import refuses

BYTES = {byte: bytes([byte]) for byte in range(256)}
# Patterns that match little, nothing, the empty string, at ends only, and everything.
CUSTOM = [r"\d+", r"[a-c]+", r"a|b", r"(?=\d)", r"x*", r"(?:zz)", r"^\s+", r"\w+$", r"(?<=a)b", r"[\s\S]", r"\s+(?!\S)"]
TEXTS = st.text(st.sampled_from("aabc1 \n.\u00e9\U0001f600<|e>"), max_size=50)


def pretokens(pattern, text):
    """Oracle for these patterns, in which Python's `re` and our engine agree."""
    return list(split_at_matches(text, (match.span() for match in re.finditer(pattern.replace("$", r"\Z"), text))))


@pytest.mark.property
@given(pattern=st.sampled_from(CUSTOM), text=TEXTS, pieces=st.integers(1, 9))
def test_every_text_comes_back_from_its_ids(pattern, text, pieces):
    """Oracle: identity; `encode` for the same text in pieces, from bytes and with offsets."""
    tokenizer = Tokenizer(BYTES | {256: b"ab", 257: b" 1"}, [(b"a", b"b"), (b" ", b"1")], ["<|e>"], pattern=pattern)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert list(tokenizer.encode_iterable(text[i : i + pieces] for i in range(0, len(text), pieces))) == ids
    found, offsets = tokenizer.encode_with_offsets(text, unit="bytes")
    assert found.tolist() == ids
    assert [end for _, end in offsets.tolist()[:-1]] == [start for start, _ in offsets.tolist()[1:]]


@pytest.mark.property
@given(
    pattern=st.sampled_from(CUSTOM),
    text=TEXTS.filter(bool),
    chunk_bytes=st.integers(1, 20),
    num_threads=st.integers(1, 2),
)
def test_training_and_splitting_take_in_what_lies_between_matches(pattern, text, chunk_bytes, num_threads):
    """Oracle: Python's `re` for the matches, the slow reference for the merges; chunks of a few bytes."""
    assert _native.split(text, pattern) == pretokens(pattern, text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_bytes(text.encode())
        options = CountOptions(num_threads=num_threads, chunk_bytes=chunk_bytes)
        trained = train_bpe(path, 270, ["<|e>"], pattern=pattern, options=options)
    assert trained == reference.train_bpe(text, 270, ["<|e>"], lambda piece: pretokens(pattern, piece))


def test_a_pattern_of_words_keeps_the_punctuation(tmp_path):
    """Derived by hand: the two spaces and the full stop are tokens of their own."""
    path = tmp_path / "text.txt"
    path.write_text("the cat sat. the cat sat.")
    vocab, merges = train_bpe(path, 262, [], pattern=r"\w+")
    tokenizer = Tokenizer(vocab, merges, [], pattern=r"\w+")
    assert tokenizer.decode(tokenizer.encode("the cat, sat.")) == "the cat, sat."


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        *(
            ("gpt2", name)
            for name in ("gpt2", "GPT2", "gpt-2", "GPT-2", "r50k_base", "p50k_base", "p50k_edit", "gpt 2")
        ),
        *(("gpt4", name) for name in ("gpt4", "GPT-4", "cl100k_base", "cl100k", "gpt-3.5-turbo")),
        *(
            ("o200k", name)
            for name in ("o200k", "o200k_base", "gpt-4o", "gpt5", "gpt-5", "O200K_BASE", "o200k_harmony")
        ),
    ],
)
def test_well_known_names_are_aliases(name, pattern):
    """Oracle: the names of tiktoken's encodings and of the models that use them."""
    assert resolve_pattern(pattern) == PATTERNS[name]
    assert TokenizerConfig(vocab_size=300, pattern=pattern).pattern == pattern


@pytest.mark.parametrize("word", ["gpt7", "llama", "cl100k_bas", "words", "o200k-x", "gpt2.1"])
def test_a_word_that_is_no_name_is_refused(word):
    """As a regular expression it would split the text at that word and nowhere else."""
    with refuses(ConfigError, word, "gpt2", "cl100k_base", "o200k_base"):
        Tokenizer(BYTES, [], pattern=word)
    with refuses(ConfigError, word, "tokenizer.pattern"):
        TokenizerConfig(vocab_size=300, pattern=word)
    assert resolve_pattern(f"(?:{word})") == f"(?:{word})"
