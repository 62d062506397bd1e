"""What an evaluation found; torch-free, so that records can be made of it anywhere."""

from dataclasses import dataclass
from math import exp, log


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a model predicts a text: totals, and the rates that follow from them."""

    nats: float
    """Sum of -ln p over the scored tokens."""

    num_tokens: int
    """Tokens scored, separators included."""

    num_bytes: int
    """Bytes of text that these tokens spell, separators included."""

    whole: bool
    """Whether the whole set was scored, rather than a head of it."""

    @property
    def loss(self) -> float:
        """Nats per token: comparable between models that share a tokenizer, and no others."""
        return self.nats / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(loss): the number of equally likely tokens that would be as hard to guess."""
        return exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Nats / ln 2 / bytes: comparable between any two models of the same text."""
        return self.nats / log(2) / self.num_bytes

    @property
    def bytes_per_token(self) -> float:
        """How far the tokenizer compresses this text."""
        return self.num_bytes / self.num_tokens
