"""Models whose output is known, and a tokenizer of single bytes."""

import pytest
import torch

from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from homespun.tokenizer.tokenizer import Tokenizer

END = "<|endoftext|>"


def byte_tokenizer(special_tokens=(END,)) -> Tokenizer:
    """Ids 0 ... 255 are the bytes; special tokens follow."""
    return Tokenizer({value: bytes([value]) for value in range(256)}, [], list(special_tokens))


def scripted_model(text: bytes, *, ends: bool = True) -> TransformerLM:
    """A model that writes each byte of `text` after the byte before it, and then `END`.

    Attention and feed-forward add nothing, the table is one-hot, so the head alone says what follows what.
    """
    assert len(set(text)) == len(text), "what follows a byte must be unique"
    width = 257
    config = ModelConfig(
        vocab_size=width,
        context_length=8,
        d_model=width,
        num_layers=1,
        num_heads=1,
        d_ff=1,
        norm="none",
        positions="none",
    )
    model = TransformerLM(config)
    following = [*text[1:], *([256] if ends else [])]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.token_embeddings.weight.copy_(torch.eye(width))
        for before, after in zip(text, following, strict=False):
            model.lm_head.weight[after, before] = 100.0
    return model


def random_model(context_length: int = 16, **switches) -> TransformerLM:
    torch.manual_seed(0)
    config = ModelConfig(
        vocab_size=257, context_length=context_length, d_model=16, num_layers=2, num_heads=2, d_ff=24, **switches
    )
    model = TransformerLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():  # what begins at zero would be tested by nothing
                parameter.normal_(std=0.3)
    return model


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return byte_tokenizer()
