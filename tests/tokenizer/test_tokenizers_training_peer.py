"""Hugging Face's BpeTrainer, whose merges ours must make by the rule that ties go to the smaller ids."""

import json
import lzma
import random

import pytest
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import models, pre_tokenizers, trainers

from homespun.corpus.inputs import expand_inputs
from homespun.tokenizer import train_bpe_from_counts
from homespun.tokenizer.counting.job import count_pretokens
from homespun.tokenizer.storage.printable import to_printable

pytestmark = pytest.mark.peers

ALPHABET = pre_tokenizers.ByteLevel.alphabet()


def random_text(pieces: str, length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(pieces, k=length))


TEXTS = {
    "two letters": random_text("ab ", 3_000, seed=0),
    "runs": random_text("aaaaab", 2_000, seed=1),
    "letters and digits": random_text("abcdefgh 123.", 20_000, seed=2),
    "hidden bytes": random_text("\u00e9\u4e2d\u6587\U0001f600\xad\xa0 \n\tZ", 5_000, seed=3),
    "a long word": "ab" * 5_000 + "a" * 999,
}


def check_merges(text, vocab_size, special_tokens, tmp_path, *, alphabet=ALPHABET) -> int:
    """Compare our merges of `text` with theirs, which do not cut special tokens from it; returns their number."""
    theirs = HuggingFaceTokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special_tokens, initial_alphabet=alphabet, show_progress=False
    )
    theirs.train_from_iterator([text], trainer)
    expected = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    # Bytes that the text lacks may have no token there, and one that is spelled like a special token never has its own.
    room = vocab_size + 256 + len(special_tokens)
    _, merges = train_bpe_from_counts(
        dict(count_pretokens(expand_inputs(path), []).items()), room, special_tokens, ties="ids"
    )
    assert [(to_printable(left), to_printable(right)) for left, right in merges[: len(expected)]] == expected
    return len(expected)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("alphabet", [ALPHABET, []], ids=["all bytes", "bytes of the text"])
def test_made_up_texts(name, alphabet, tmp_path):
    """Oracle: BpeTrainer, until no pair is left: most are equally frequent."""
    assert check_merges(TEXTS[name], 3_000, [], tmp_path, alphabet=alphabet) > 20


@pytest.mark.parametrize("special_tokens", [["<|endoftext|>"], ["aba", "<pad>", "b", "\u0120a"], ["c", "\u4e2d", "ca"]])
def test_special_tokens_come_first(special_tokens, tmp_path):
    """Oracle: BpeTrainer. A byte or a merge that is spelled like a special token has its id."""
    assert check_merges(random_text("aaabbc ", 4_000, seed=4), 900, special_tokens, tmp_path) > 300


def test_a_small_corpus(shared_data, tmp_path):
    """Oracle: BpeTrainer."""
    text = (shared_data / "assignment" / "corpus.en").read_text(encoding="utf-8")
    assert check_merges(text, 4_000, ["<|endoftext|>"], tmp_path) == 4_000 - 257


def test_web_text(shared_data, tmp_path):
    """Oracle: BpeTrainer."""
    text = lzma.decompress((shared_data / "english" / "valid.txt.xz").read_bytes()).decode()[:2_000_000]
    assert check_merges(text, 6_000, [], tmp_path) == 6_000 - 256
