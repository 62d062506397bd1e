"""Oracle throughout: one forward pass for every single token, over exactly what it may be conditioned on."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch

from homespun.data.encode import encode_corpus
from homespun.entropy import CorpusEntropy
from homespun.evaluation.evaluate import Evaluation, evaluate_dataset
from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from homespun.tokenizer.tokenizer import Tokenizer

SEPARATOR = "<|endoftext|>"
TEXT = f"abca{SEPARATOR}bb{SEPARATOR}caabcaaab{SEPARATOR}a{SEPARATOR}"
NUM_TOKENS, NUM_DOCUMENTS, NUM_BYTES = 20, 4, len(TEXT)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return TransformerLM(ModelConfig(vocab_size=257, context_length=12, d_model=16, num_layers=1, num_heads=2, d_ff=24))


@pytest.fixture
def dataset(tmp_path):
    vocab = {0: SEPARATOR.encode()} | {byte + 1: bytes([byte]) for byte in range(256)}
    (tmp_path / "text.txt").write_text(TEXT)
    return encode_corpus(Tokenizer(vocab, [], [SEPARATOR]), tmp_path / "text.txt", tmp_path / "tokens")


def with_entropy(dataset):
    entropy = CorpusEntropy(bits=10.0, num_bytes=NUM_BYTES, num_documents=NUM_DOCUMENTS)
    return replace(dataset, manifest=replace(dataset.manifest, entropy=entropy))


def nats_one_by_one(model, dataset, context_length, num_tokens, *, by_document):
    ids = [0, *np.asarray(dataset[0 : len(dataset)]).tolist()]
    total, seen = 0.0, []
    for place in range(1, num_tokens + 1):
        # What the token may be conditioned on starts again with each window, or with a document.
        if len(seen) == context_length or (by_document and ids[place - 1] == 0):
            seen = []
        seen.append(ids[place - 1])
        log_p = torch.log_softmax(model(torch.tensor([seen]))[0, -1].double(), dim=-1)
        total -= float(log_p[ids[place]])
    return total


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("context_length", [1, 5, 7, 12])
@pytest.mark.parametrize("by_document", [False, True])
@torch.no_grad()
def test_every_token_is_scored_once(model, dataset, context_length, batch_size, by_document):
    """1e-5: float32 forward passes of other shapes."""
    scored = with_entropy(dataset) if by_document else dataset
    found = evaluate_dataset(model, scored, context_length=context_length, batch_size=batch_size)
    expected = nats_one_by_one(model, dataset, context_length, NUM_TOKENS, by_document=by_document)
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert (found.num_tokens, found.num_bytes, found.whole) == (NUM_TOKENS, NUM_BYTES, True)


@torch.no_grad()
def test_head_of_a_text_is_its_first_tokens(model, dataset):
    found = evaluate_dataset(model, dataset, context_length=5, batch_size=2, max_tokens=8)
    assert (found.num_tokens, found.num_bytes, found.whole) == (8, len(f"abca{SEPARATOR}bb{SEPARATOR}"), False)
    assert found.nats == pytest.approx(nats_one_by_one(model, dataset, 5, 8, by_document=False), rel=1e-5)


@pytest.mark.parametrize(("max_tokens", "num_tokens"), [(1, 5), (5, 5), (7, 5), (8, 8), (19, 18), (20, 20), (99, 20)])
@torch.no_grad()
def test_head_of_documents_is_those_that_fit_and_at_least_one(model, dataset, max_tokens, num_tokens):
    found = evaluate_dataset(model, with_entropy(dataset), context_length=12, batch_size=2, max_tokens=max_tokens)
    assert (found.num_tokens, found.whole) == (num_tokens, num_tokens == NUM_TOKENS)
    assert found.nats == pytest.approx(nats_one_by_one(model, dataset, 12, num_tokens, by_document=True), rel=1e-5)


def test_gradients_are_not_kept(model, dataset):
    evaluate_dataset(model, dataset, context_length=5, batch_size=2)
    assert all(p.grad is None for p in model.parameters())


def test_rates_follow_from_the_totals():
    """Derived by hand: 8 tokens of 1 bit each spelling 16 bytes."""
    evaluation = Evaluation(nats=8 * log(2), num_tokens=8, num_bytes=16, whole=True)
    assert evaluation.loss == pytest.approx(log(2))
    assert evaluation.perplexity == pytest.approx(exp(log(2)))
    assert evaluation.bits_per_byte == pytest.approx(0.5)
    assert evaluation.bytes_per_token == 2
