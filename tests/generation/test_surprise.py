"""Surprise of each token. Oracles: one forward per token over its own window; the text of the ids."""

import math

import pytest
import torch

from homespun.errors import GenerationError
from homespun.generation.cache import window_start
from homespun.generation.surprise import measure_surprise, texts_of_tokens
from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from homespun.tokenizer import Tokenizer
from refusals import refuses


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = ModelConfig(vocab_size=300, context_length=8, d_model=16, num_layers=2, num_heads=2, d_ff=32)
    return TransformerLM(config)


@pytest.mark.parametrize("num_ids", [1, 2, 8, 9, 10, 30])
def test_surprise_equals_a_forward_per_token(model, num_ids):
    """1e-5: float32 sums in another order."""
    ids = torch.randint(300, (num_ids,), generator=torch.Generator().manual_seed(num_ids)).tolist()
    expected = []
    for position in range(1, num_ids):
        window = ids[window_start(position, 8) : position]
        with torch.inference_mode():
            expected.append(-torch.log_softmax(model(torch.tensor([window]))[0, -1], dim=-1)[ids[position]].item())
    assert measure_surprise(model, ids) == pytest.approx(expected, abs=1e-5)


def test_surprise_of_a_new_model_is_about_uniform(model):
    nats = measure_surprise(model, list(range(300)))
    assert sum(nats) / len(nats) == pytest.approx(math.log(300), rel=0.2)


def test_no_token_has_no_surprise(model):
    with refuses(GenerationError, "no token"):
        measure_surprise(model, [])


@pytest.mark.parametrize("text", ["plain", "\u7269\u8a9e \U0001f600!", ""])
def test_texts_of_tokens_join_to_the_text(text):
    """Of bytes, so that characters are divided between tokens."""
    tokenizer = Tokenizer({i: bytes([i]) for i in range(256)}, [])
    ids = tokenizer.encode(text)
    texts = texts_of_tokens(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == text
    assert "".join(texts_of_tokens(tokenizer, ids[:-1])) == tokenizer.decode(ids[:-1])
