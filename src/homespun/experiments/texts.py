"""Corpora that an experiment is given, the documents taken from them, and tokenizers trained on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from homespun.corpus.inputs import expand_inputs
from homespun.corpus.reader import read_documents
from homespun.errors import DataError
from homespun.experiments.result import Elapsed, measure_time
from homespun.seeding import derive_seed
from homespun.tokenizer.counting.job import count_pretokens
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.train import merge_counts

SEPARATOR = "<|endoftext|>"
NUM_DOCUMENTS = 10
"""As many as the published compression ratios are of."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A text to train on, and text of the same kind that was held out from it."""

    name: str
    """As results call it."""
    train: Path | None
    """None: measured on, not trained on."""
    valid: Path

    @cached_property
    def documents(self) -> list[str]:
        """The held-out documents that have text, each without white space around it."""
        found = [text for document in read_documents(self.valid) if (text := document.strip())]
        if not found:
            raise DataError(f"{self.valid}: has no document with text; name a text with {SEPARATOR} between documents")
        return found

    def draw_documents(self, seed: int, num_documents: int = NUM_DOCUMENTS) -> list[str]:
        """Return `num_documents` of the held-out documents drawn without replacement, or all where there are fewer."""
        order = Random(derive_seed(seed, f"documents of {self.name}"))
        return order.sample(self.documents, min(num_documents, len(self.documents)))

    def describe(self) -> dict[str, int | str]:
        """Sizes, for a result."""
        sizes: dict[str, int | str] = {"name": self.name}
        if self.train is not None:
            sizes["train_bytes"] = self.train.stat().st_size
        return sizes | {"valid_bytes": self.valid.stat().st_size, "valid_documents": len(self.documents)}


@dataclass(frozen=True, kw_only=True)
class TrainedTokenizer:
    """A tokenizer and how it was made."""

    tokenizer: Tokenizer
    counting: Elapsed
    """Reading, pre-tokenizing and counting."""
    merging: Elapsed
    num_pretokens: int
    """Distinct ones."""
    total_pretokens: int
    pretokens: dict[bytes, int]
    """How often each occurs."""


def train_tokenizer(path: Path, vocab_size: int, *, pattern: str = "gpt2") -> TrainedTokenizer:
    """Train on a text file as `train_bpe` does, its two phases timed."""
    with measure_time() as counting:
        counts = count_pretokens(expand_inputs(path), [SEPARATOR], pattern=pattern)
    num_pretokens, total, pretokens = len(counts), counts.total, dict(counts.items())
    with measure_time() as merging:
        vocab, merges = merge_counts(counts, vocab_size, [SEPARATOR])
    return TrainedTokenizer(
        tokenizer=Tokenizer(vocab, merges, [SEPARATOR], pattern=pattern),
        counting=counting,
        merging=merging,
        num_pretokens=num_pretokens,
        total_pretokens=total,
        pretokens=pretokens,
    )


def cut_vocabulary(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """Return the tokenizer that training to `vocab_size` would have given: merges are made one after another."""
    merges = tokenizer.merges[: max(0, vocab_size - len(tokenizer) + len(tokenizer.merges))]
    first_ids = dict(list(sorted(tokenizer.vocab.items()))[: len(tokenizer) - len(tokenizer.merges) + len(merges)])
    return Tokenizer(first_ids, merges, list(tokenizer.special_tokens), pattern=tokenizer.pattern)


def count_tokens(tokenizer: Tokenizer, documents: Sequence[str]) -> list[int]:
    """Return the tokens of each document, without separators."""
    return [len(ids) for ids in tokenizer.encode_batch(documents, special="text")]
