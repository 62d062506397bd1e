"""What a recipe may say about its tokenizer."""

import pytest

from homespun.errors import ConfigError
from homespun.tokenizer.config import TokenizerConfig
from refusals import refuses


def test_defaults_are_gpt2s():
    """Oracle: GPT-2's pattern as published."""
    config = TokenizerConfig(vocab_size=10_000)
    assert config.pattern == "gpt2"
    assert config.special_tokens == ["<|endoftext|>"]


@pytest.mark.parametrize(
    ("overrides", "facts"),
    [
        ({"vocab_size": 256}, ["tokenizer.vocab_size = 256", "257"]),
        ({"special_tokens": ["<s>", "<s>"]}, ["tokenizer.special_tokens", "'<s>'", "twice"]),
        ({"special_tokens": [""]}, ["tokenizer.special_tokens", "empty"]),
        ({"special_tokens": ["\ud800"]}, ["tokenizer.special_tokens", "lone surrogate"]),
        ({"pattern": ""}, ["tokenizer.pattern", "empty"]),
    ],
)
def test_nonsense_is_refused_by_name(overrides, facts):
    """Oracle: the field's name as it stands in a recipe."""
    with refuses(ConfigError, *facts):
        TokenizerConfig(**{"vocab_size": 1000} | overrides)


def test_the_least_vocabulary_is_the_bytes_and_special_tokens():
    """Oracle: derived by hand."""
    assert TokenizerConfig(vocab_size=256, special_tokens=[]).vocab_size == 256
