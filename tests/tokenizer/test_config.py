"""What a recipe may say about its tokenizer."""

import pytest

from homespun.errors import ConfigError
from homespun.tokenizer.config import TokenizerConfig


def test_defaults_are_gpt2s():
    """Oracle: GPT-2's pattern as published."""
    config = TokenizerConfig(vocab_size=10_000)
    assert config.pattern == "gpt2"
    assert config.special_tokens == ["<|endoftext|>"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"vocab_size": 256}, r"tokenizer\.vocab_size = 256 is too small.*need 257"),
        ({"special_tokens": ["<s>", "<s>"]}, r"tokenizer\.special_tokens: '<s>' stands there twice"),
        ({"special_tokens": [""]}, r"tokenizer\.special_tokens: a special token is empty"),
        ({"special_tokens": ["\ud800"]}, "lone surrogate"),
        ({"pattern": ""}, r"tokenizer\.pattern is empty"),
    ],
)
def test_nonsense_is_refused_by_name(overrides, message):
    """Oracle: the field's name as it stands in a recipe."""
    with pytest.raises(ConfigError, match=message):
        TokenizerConfig(**{"vocab_size": 1000} | overrides)


def test_the_least_vocabulary_is_the_bytes_and_special_tokens():
    """Oracle: derived by hand."""
    assert TokenizerConfig(vocab_size=256, special_tokens=[]).vocab_size == 256
