"""Experiments on tokenizers and corpora: their measures against slow recomputation, their files against both."""

import json
from collections import Counter
from math import log

import numpy as np
import pytest

from homespun.cli.main import main
from homespun.errors import ConfigError, MissingFileError
from homespun.experiments.corpora import bigram_nats, unigram_nats
from homespun.experiments.texts import SEPARATOR, Corpus, cut_vocabulary, train_tokenizer
from homespun.experiments.tokenizers import describe_token, show_token
from homespun.tokenizer import Tokenizer, train_bpe
from refusals import refuses

STORIES = ["the cat ate the rat and the hat", "a cat sat on the mat", "the rat ran", "hats and mats and cats"] * 5


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(SEPARATOR.join(STORIES))
    return path


@pytest.mark.parametrize("vocab_size", [257, 262, 270, 5000])
def test_a_cut_vocabulary_is_that_of_a_shorter_training(text, vocab_size):
    """Oracle: training to that size."""
    largest = train_tokenizer(text, 1000).tokenizer
    vocab, merges = train_bpe(text, min(vocab_size, len(largest)), [SEPARATOR])
    assert cut_vocabulary(largest, vocab_size) == Tokenizer(vocab, merges, [SEPARATOR])


def test_training_in_two_timed_phases_is_training(text):
    """Oracle: `train_bpe`."""
    made = train_tokenizer(text, 300)
    assert made.tokenizer == Tokenizer(*train_bpe(text, 300, [SEPARATOR]), [SEPARATOR])
    assert sum(made.pretokens.values()) == made.total_pretokens == sum(len(story.split()) for story in STORIES)


def test_documents_are_drawn_once_each_and_the_same_again(tmp_path):
    path = tmp_path / "valid.txt"
    path.write_text(SEPARATOR.join([f"story {n}\n" for n in range(30)] + ["\n", ""]))
    corpus = Corpus(name="numbers", train=None, valid=path)
    assert corpus.documents == [f"story {n}" for n in range(30)]
    drawn = corpus.draw_documents(seed=1)
    assert len(set(drawn)) == 10
    assert drawn == Corpus(name="numbers", train=None, valid=path).draw_documents(seed=1)
    assert drawn != corpus.draw_documents(seed=2)


def slow_bigram(train, valid, size):
    """The formula of `bigram_nats`, word by word."""
    ones = Counter(train.tolist())
    unigram = {w: (ones[w] + 1) / (len(train) + size) for w in range(size)}
    pairs = Counter(zip(train[:-1].tolist(), train[1:].tolist(), strict=True))
    nats = 0.0
    for context, word in zip(valid[:-1].tolist(), valid[1:].tolist(), strict=True):
        after = {w: count for (c, w), count in pairs.items() if c == context}
        total, followers = sum(after.values()), len(after) or 1
        probabilities = {w: (after.get(w, 0) + followers * unigram[w]) / (total + followers) for w in range(size)}
        assert sum(probabilities.values()) == pytest.approx(1)
        nats -= log(probabilities[word])
    return nats / (len(valid) - 1)


def test_entropies_equal_the_slow_formula():
    """Oracle: the formula with dictionaries; probabilities sum to 1, unseen contexts included."""
    rng = np.random.default_rng(0)
    train, valid = rng.integers(12, size=200), rng.integers(14, size=60)
    assert bigram_nats(train, valid, 14) == pytest.approx(slow_bigram(train, valid, 14))
    counts = Counter(train.tolist())
    assert unigram_nats(train, valid, 14) == pytest.approx(
        -sum(log((counts[w] + 1) / 214) for w in valid.tolist()) / 60
    )


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (b" accomplishment", "word"),
        (b"----------", "repeated character"),
        (b" ===", "repeated character"),
        (b"\n    ", "white space"),
        (b" 2024", "number"),
        ("\u00c3\u00c2".encode() * 4, "word with letters beyond ASCII"),
        (b"\xc3", "other"),
        (b"</div>", "other"),
    ],
)
def test_kinds_of_tokens(token, kind):
    assert describe_token(token) == kind


def test_long_runs_are_shown_by_their_length():
    assert show_token(b"-" * 64) == "64 times '-'"
    assert show_token(b"-" * 8) == "--------"


def test_the_commands_write_what_they_measured(tmp_path):
    """Oracle: recomputation from the same generated texts, and relations that must hold."""
    for name in ("tokenizers", "corpora"):
        assert main(["experiment", name, "--scale", "smoke", "--out", str(tmp_path)]) == 0
    tokenizers = json.loads((tmp_path / "tokenizers.json").read_text())["figures"]
    own = {row["tokenizer"].split()[0]: row for row in tokenizers["compression"] if row["text"] in row["tokenizer"]}
    other = {row["text"]: row for row in tokenizers["compression"] if row["text"] not in row["tokenizer"]}
    for name, row in own.items():
        assert row["all_held_out"] > other[name]["all_held_out"], "a tokenizer compresses its own kind of text best"
        low, high = row["ten_documents_interval"]
        assert low <= row["ten_documents"] <= high
    for curve in tokenizers["vocabulary_sizes"]:
        for line in curve["bytes_per_token"].values():
            assert line == sorted(line), "more merges never lengthen these texts"
    corpora = json.loads((tmp_path / "corpora.json").read_text())["figures"]["corpora"]
    for row in corpora:
        assert row["bigram"]["bits_per_byte"] < row["unigram"]["bits_per_byte"]
        assert row["encoded"]["bytes"] == 2 * row["encoded"]["tokens"]
    assert (tmp_path / "tokenizers.svg").exists()
    assert (tmp_path / "tokenizers-profile.svg").exists()


def test_missing_texts_are_refused(tmp_path, text):
    with refuses(ConfigError, "--tinystories TRAIN VALID"):
        main_of("tokenizers", ["--out", str(tmp_path)])
    with refuses(ConfigError, "--english TRAIN VALID"):
        main_of("corpora", ["--tinystories", str(text), str(text), "--out", str(tmp_path)])
    with refuses(MissingFileError, tmp_path / "none.txt"):
        main_of("corpora", ["--tinystories", str(text), str(tmp_path / "none.txt"), "--out", str(tmp_path)])


def main_of(name, arguments):
    """The command without what `homespun` does with its errors."""
    if name == "tokenizers":
        from homespun.cli.experiment.tokenizers import main as command
    else:
        from homespun.cli.experiment.corpora import main as command
    command(arguments)
