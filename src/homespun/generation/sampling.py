"""Sampling settings, checked, without importing torch: a recipe holds them too."""

from dataclasses import dataclass
from math import isfinite

from homespun.errors import GenerationError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which tokens may be drawn, and with what probability.

    With p = softmax(logits / temperature) over the whole vocabulary, a token may be drawn if every filter admits it:

        top_k   it is among the k most likely (of equally likely ones, those with the lower id)
        top_p   it is in the smallest set of most likely tokens whose p sum to at least top_p
        min_p   its p is at least min_p times the greatest p

    Each filter is defined on p itself, not on what another filter left, so their order does not matter and the most
    likely token always passes. A token is drawn from those that pass in proportion to p.

    Source: top-p: Holtzman et al. 2019, arXiv:1904.09751; min-p: Nguyen et al. 2024, arXiv:2407.01082.
    """

    temperature: float = 1.0
    """Divides the logits: below 1 sharper, above 1 flatter; 0 always takes the most likely token (greedy)."""

    top_k: int | None = None
    """Draw only from this many most likely tokens; None: from all."""

    top_p: float = 1.0
    """Draw only from the most likely tokens that together hold this probability, above 0; 1: from all."""

    min_p: float = 0.0
    """Least probability relative to the most likely token's; 0: from all."""

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and isfinite(self.temperature)):
            raise GenerationError(f"temperature = {self.temperature} must be a finite number of at least 0 (0: greedy)")
        if self.top_k is not None and self.top_k < 1:
            raise GenerationError(f"top_k = {self.top_k} must be at least 1; leave it out to admit every token")
        if not 0 < self.top_p <= 1:
            raise GenerationError(f"top_p = {self.top_p} must be above 0 and at most 1 (1: every token)")
        if not 0 <= self.min_p <= 1:
            raise GenerationError(f"min_p = {self.min_p} must be at least 0 and at most 1 (0: every token)")


DEFAULT_SAMPLING = Sampling()
"""Draw from the model's own distribution."""
