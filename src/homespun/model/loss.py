"""Cross-entropy, what training minimises, and perplexity, its exponential."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from homespun.model.layers import widen


def cross_entropy(logits: Float[Tensor, "*B V"], targets: Int[Tensor, "*B"]) -> Float[Tensor, ""]:
    """Mean over all positions of -log softmax(logits)[target], in nats.

        loss = mean(logsumexp(logits) - logits[target])

    Log and exp are cancelled, so no probability is ever rounded to zero. Taken in float32 at least.
    A target outside 0 ... V - 1 is an IndexError on the CPU.
    """
    wide = widen(logits)
    chosen = wide.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (torch.logsumexp(wide, dim=-1) - chosen).mean()


def perplexity(losses: Float[Tensor, "*B"]) -> Float[Tensor, ""]:
    """exp(mean(losses)): the number of equally likely tokens that would be as hard to guess."""
    return losses.mean().exp()
