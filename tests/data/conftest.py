"""A small tokenizer and data sets made with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from homespun.data import TokenDataset, encode_corpus
from homespun.tokenizer import Tokenizer

SEPARATOR = "<|endoftext|>"


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Two special tokens, the bytes and three merges: the id of a byte b is b + 2."""
    tokens = [SEPARATOR.encode(), b"<|other|>", *(bytes([byte]) for byte in range(256)), b"th", b"the", b" the"]
    merges = [(b"t", b"h"), (b"th", b"e"), (b" ", b"the")]
    return Tokenizer(dict(enumerate(tokens)), merges, [SEPARATOR, "<|other|>"])


@pytest.fixture
def make_dataset(tokenizer: Tokenizer, tmp_path: Path) -> Callable[..., TokenDataset]:
    """Encodes a text into a fresh directory."""

    def make(text: str, **settings: object) -> TokenDataset:
        path = tmp_path / "corpus.txt"
        path.write_text(text, encoding="utf-8")
        return encode_corpus(tokenizer, path, tmp_path / "tokens", **settings)

    return make
