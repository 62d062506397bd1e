"""What a recipe says about its tokenizer, and the checks that training shares with it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Literal, get_args

from homespun.config import check_at_least, check_choice
from homespun.errors import ConfigError
from homespun.tokenizer.patterns import resolve_pattern

NUM_BYTES = 256

Ties = Literal["bytes", "ids"]
"""A rule for pairs that are equally frequent: see `train_bpe`."""


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """Everything that fixes a tokenizer, given the text it is trained on."""

    vocab_size: int
    """The most tokens the vocabulary may have: special tokens, the 256 bytes and the merges."""

    pattern: str = "gpt2"
    """Pre-tokenization: "gpt2", "gpt4" (cl100k_base), "o200k" (o200k_base), or a custom regular expression."""

    ties: Ties = "bytes"
    """Which of equally frequent pairs is merged: "bytes", the greater byte strings; "ids", as Hugging Face does."""

    special_tokens: list[str] = field(default_factory=lambda: ["<|endoftext|>"])
    """Strings that are one token each and never inside another token; their ids count from 0."""

    def __post_init__(self) -> None:
        check_special_tokens("tokenizer.special_tokens", self.special_tokens)
        check_vocab_size("tokenizer.vocab_size", self.vocab_size, len(self.special_tokens))
        check_choice("tokenizer.ties", self.ties, get_args(Ties))
        resolve_pattern(self.pattern, "tokenizer.pattern")


def check_vocab_size(field_name: str, vocab_size: int, num_special_tokens: int) -> None:
    """Refuse a vocabulary that cannot hold the bytes and the special tokens.

    Raises:
        ConfigError: `vocab_size` is below their number, or not a number.
    """
    if not isinstance(vocab_size, Integral):
        raise ConfigError(f"{field_name} = {vocab_size!r} is not a whole number; expected one such as 32000")
    least = NUM_BYTES + num_special_tokens
    if vocab_size < least:
        raise ConfigError(
            f"{field_name} = {vocab_size} is too small: {NUM_BYTES} bytes and {num_special_tokens} special "
            f"token(s) already need {least}"
        )


def check_special_tokens(field_name: str, special_tokens: Iterable[str]) -> None:
    """Refuse special tokens that are empty, given twice, or not strings.

    Raises:
        ConfigError: naming the first such token.
    """
    if isinstance(special_tokens, str | bytes):
        raise ConfigError(
            f"{field_name} = {special_tokens!r} is one string; expected a list, such as [{special_tokens!r}]"
        )
    seen: set[str] = set()
    for token in special_tokens:
        if not isinstance(token, str):
            raise ConfigError(f"{field_name}: {token!r} is not a string; expected strings such as '<|endoftext|>'")
        if not token:
            raise ConfigError(f"{field_name}: a special token is empty; remove it, or write for example <|endoftext|>")
        if token in seen:
            raise ConfigError(f"{field_name}: {token!r} is listed twice; give each special token once")
        if any("\ud800" <= character <= "\udfff" for character in token):
            raise ConfigError(f"{field_name}: {token!r} contains a lone surrogate, which UTF-8 cannot write; remove it")
        seen.add(token)


def resolve_num_threads(num_threads: int | None) -> int:
    """The number asked for, or the cores that this process may use.

    Raises:
        ConfigError: fewer than one thread is asked for.
    """
    if num_threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    check_at_least("num_threads", num_threads, 1)
    return num_threads
