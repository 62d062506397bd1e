"""From the logits of the next token to a token: temperature, top-k, top-p and min-p."""

from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Float, Int
from torch import Tensor

from homespun.errors import GenerationError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which tokens may be drawn, and how boldly.

    With p = softmax(logits / temperature) over the whole vocabulary, a token may be drawn if every filter admits it:

        top_k   it is among the k likeliest (of equal ones, those of lower id)
        top_p   it is among the fewest likeliest tokens whose p add up to at least top_p
        min_p   its p is at least min_p times the greatest p

    Each filter judges p itself, not what another has left of it, so their order does not matter; the likeliest token
    passes them all. What passes is drawn in proportion to p.

    Source: top-p: Holtzman et al. 2019, arXiv:1904.09751; min-p: Nguyen et al. 2024, arXiv:2407.01082.
    """

    temperature: float = 1.0
    """Divides the logits: below 1 bolder contrasts, above 1 flatter ones; 0 takes the likeliest token."""

    top_k: int | None = None
    """At most this many tokens; None: as many as there are."""

    top_p: float = 1.0
    """Probability to be covered, above 0; 1 covers every token."""

    min_p: float = 0.0
    """Least probability, relative to the likeliest token's; 0 admits every token."""

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and isfinite(self.temperature)):
            raise GenerationError(f"temperature = {self.temperature} must be a finite number of at least 0 (0: greedy)")
        if self.top_k is not None and self.top_k < 1:
            raise GenerationError(f"top_k = {self.top_k} must be at least 1; leave it out to admit every token")
        if not 0 < self.top_p <= 1:
            raise GenerationError(f"top_p = {self.top_p} must be above 0 and at most 1 (1: every token)")
        if not 0 <= self.min_p <= 1:
            raise GenerationError(f"min_p = {self.min_p} must be at least 0 and at most 1 (0: every token)")


def sample_token(logits_V: Float[Tensor, " V"], sampling: Sampling, generator: torch.Generator) -> int:
    """Draw the next token's id.

    One uniform number is drawn on the CPU and looked up in the cumulative probabilities, so that a seed gives the same
    tokens on every device, as far as the logits are the same. Temperature 0 draws nothing.

    Raises:
        GenerationError: the logits have no finite maximum.
    """
    if sampling.temperature == 0:
        _check_finite(logits_V.max())
        return int(logits_V.argmax())
    ids_C, weights_C = candidates(logits_V, sampling)
    cumulative_C = weights_C.cumsum(dim=0)
    point = torch.rand((), generator=generator, dtype=torch.float64) * cumulative_C[-1]
    # Rounding may put the point on the very end, behind the last candidate.
    index = min(int(torch.searchsorted(cumulative_C, point, right=True)), len(ids_C) - 1)
    return int(ids_C[index])


def candidates(logits_V: Float[Tensor, " V"], sampling: Sampling) -> tuple[Int[Tensor, " C"], Float[Tensor, " C"]]:
    """The ids that may be drawn at a temperature above 0, and their weights, in proportion to p; in float64 on the CPU.

    Sorting the vocabulary would cost more than all the rest, so what no filter can admit is put aside first. Tokens
    of p below (1 - top_p) / V cannot reach 1 - top_p together, so those above them cover top_p.

    Raises:
        GenerationError: the logits have no finite maximum.
    """
    wide_V = logits_V.detach().cpu().double()
    greatest = wide_V.max()
    _check_finite(greatest)
    # Subtracting first: the greatest weight is 1 at any temperature, however close to 0.
    weights_V = ((wide_V - greatest) / sampling.temperature).exp()
    total = float(weights_V.sum())
    least = max(sampling.min_p, (1 - sampling.top_p) * total / len(weights_V), torch.finfo(torch.float64).tiny)
    if sampling.top_k is not None and sampling.top_k < len(weights_V):
        least = max(least, float(weights_V.topk(sampling.top_k).values[-1]))
    ids_C = (weights_V >= least).nonzero().squeeze(-1)
    weights_C = weights_V[ids_C]
    if sampling.top_k is None and sampling.top_p == 1:
        return ids_C, weights_C
    order_C = weights_C.argsort(descending=True, stable=True)[: sampling.top_k]
    ids_C, weights_C = ids_C[order_C], weights_C[order_C]
    if sampling.top_p < 1:
        num_kept = int((weights_C.cumsum(dim=0) < sampling.top_p * total).sum()) + 1
        ids_C, weights_C = ids_C[:num_kept], weights_C[:num_kept]
    return ids_C, weights_C


def _check_finite(greatest: Tensor) -> None:
    if not torch.isfinite(greatest):
        raise GenerationError(
            f"the greatest logit is {float(greatest)}: the model's weights are damaged or its training diverged; "
            "choose an earlier checkpoint"
        )
