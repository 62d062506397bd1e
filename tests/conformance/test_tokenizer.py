"""The tokenizer behind the interfaces of the CS336 assignment, on the fixtures of its public test-suite."""

import json
from collections.abc import Iterator

import pytest

from homespun.tokenizer import Tokenizer, train_bpe
from homespun.tokenizer.storage.printable import from_printable

END = "<|endoftext|>"


@pytest.fixture(scope="module")
def fixtures(shared_data):
    return shared_data / "assignment"


def get_tokenizer(fixtures, special_tokens=None):
    """The assignment's adapter: GPT-2's files, read as its tests read them."""
    words = json.loads((fixtures / "gpt2_vocab.json").read_text(encoding="utf-8"))
    vocab = {id_: from_printable(word) for word, id_ in words.items()}
    lines = (fixtures / "gpt2_merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [tuple(from_printable(word) for word in line.split(" ")) for line in lines if len(line.split(" ")) == 2]
    return Tokenizer(vocab, merges, special_tokens)


@pytest.fixture(scope="module")
def tokenizer(fixtures):
    return get_tokenizer(fixtures, [END])


def test_train_bpe_equals_the_reference(fixtures):
    """Oracle: the assignment's reference merges and vocabulary; its ids follow GPT-2's order of bytes, ours do not."""
    vocab, merges = train_bpe(input_path=fixtures / "corpus.en", vocab_size=500, special_tokens=[END])
    lines = (fixtures / "train-bpe-reference-merges.txt").read_text(encoding="utf-8").splitlines()
    assert merges == [tuple(from_printable(word) for word in line.split(" ")) for line in lines]
    words = json.loads((fixtures / "train-bpe-reference-vocab.json").read_text(encoding="utf-8"))
    assert list(vocab) == list(range(500))
    assert set(vocab.values()) == {from_printable(word) for word in words}


def test_train_bpe_keeps_special_tokens_whole(fixtures):
    """Oracle: the assignment's test on 5 MB of TinyStories: no token but the special one contains <|."""
    vocab, _ = train_bpe(fixtures / "tinystories_sample_5M.txt", 1_000, [END])
    assert [token for token in vocab.values() if b"<|" in token] == [END.encode()]
    assert len(vocab) == 1_000


def test_from_files_equals_the_constructor(fixtures, tokenizer):
    """Oracle: the tokenizer made from parts."""
    loaded = Tokenizer.from_files(str(fixtures / "gpt2_vocab.json"), str(fixtures / "gpt2_merges.txt"), [END])
    assert loaded == tokenizer


@pytest.mark.parametrize(
    "text", ["", "s", "\U0001f643", "Hello, how are you?", "H\u00e9ll\u00f2 h\u00f4w are \u00fc? \U0001f643"]
)
def test_roundtrip(tokenizer, text):
    """Oracle: identity."""
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert list(tokenizer.encode_iterable(iter([text]))) == tokenizer.encode(text)


def test_special_tokens_are_single_ids(fixtures, tokenizer):
    """Oracle: the assignment's tests of special tokens, one inside the other included."""
    text = f"Hello, {END} how {END}{END} are you?"
    pieces = [tokenizer.decode([id_]) for id_ in tokenizer.encode(text)]
    assert pieces.count(END) == 3
    overlapping = get_tokenizer(fixtures, [END, END * 2])
    pieces = [overlapping.decode([id_]) for id_ in overlapping.encode(text)]
    assert pieces.count(END) == 1
    assert pieces.count(END * 2) == 1
    assert overlapping.decode(overlapping.encode(text)) == text


@pytest.mark.parametrize("name", ["address.txt", "german.txt", "tinystories_sample.txt", "tinystories_sample_5M.txt"])
def test_encode_iterable_reads_a_file_by_lines(fixtures, tokenizer, name):
    """Oracle: `encode` of the whole file, and identity."""
    path = fixtures / name
    with path.open(encoding="utf-8", newline="") as file:
        ids = tokenizer.encode_iterable(file)
        assert isinstance(ids, Iterator)
        found = list(ids)
    text = path.read_bytes().decode()
    assert found == tokenizer.encode(text)
    assert tokenizer.decode(found) == text
