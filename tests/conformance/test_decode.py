"""The assignment's `decode(model, tokenizer, prompt, max_new_tokens, temperature, top_p)`, called by position.

Oracle: the assignment's text: it returns a completion, takes a temperature and a nucleus, ends at <|endoftext|>.
"""

import torch

from homespun.generation import decode
from homespun.model import ModelConfig, TransformerLM
from homespun.tokenizer import Tokenizer


def test_decode():
    torch.manual_seed(0)
    tokenizer = Tokenizer({value: bytes([value]) for value in range(256)}, [], ["<|endoftext|>"])
    config = ModelConfig(vocab_size=257, context_length=16, d_model=16, num_layers=2, num_heads=2, d_ff=32)
    model = TransformerLM(config)
    completion = decode(model, tokenizer, "Once upon a time", 32, 0.7, 0.9)
    assert isinstance(completion, str)
    assert completion == decode(model, tokenizer, "Once upon a time", 32, 0.7, 0.9)
    assert 0 < len(completion) <= 32
