"""Draw the next token of each row of a batch: temperature, top-k, top-p and min-p.

C is the number of candidates that a row keeps, padded to the row with most.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from homespun.errors import GenerationError
from homespun.generation.sampling import Sampling


def sample_tokens(
    logits_BV: Float[Tensor, "B V"], sampling: Sampling, generators: Sequence[torch.Generator]
) -> Int[Tensor, " B"]:
    """Draw one id per row, on the logits' device.

    Row i takes one uniform number from `generators[i]`, a CPU generator, and looks it up in the cumulative
    probabilities. So a row's draw does not depend on its neighbours, and a seed gives the same tokens on every device
    as far as the logits are the same. Temperature 0 takes no number.

    Raises:
        GenerationError: a row of logits has no finite maximum.
    """
    greatest_B = logits_BV.amax(dim=-1)
    if not bool(torch.isfinite(greatest_B).all()):
        worst = next(value for value in greatest_B.tolist() if value - value != 0)
        raise GenerationError(
            f"the greatest logit is {worst}: the model's weights are damaged or its training diverged; "
            "choose an earlier checkpoint"
        )
    if sampling.temperature == 0:
        return logits_BV.argmax(dim=-1)
    ids_BC, weights_BC = candidates(logits_BV, sampling)
    cumulative_BC = weights_BC.cumsum(dim=-1)
    uniform = [float(torch.rand((), generator=generator, dtype=torch.float64)) for generator in generators]
    point_B1 = torch.tensor(uniform).to(cumulative_BC)[:, None] * cumulative_BC[:, -1:]
    index_B1 = torch.searchsorted(cumulative_BC, point_B1, right=True)
    # Rounding may put the point at the very end; the last candidate is the last one with a weight, before the padding.
    last_B1 = (weights_BC > 0).sum(dim=-1, keepdim=True) - 1
    return ids_BC.gather(-1, torch.minimum(index_B1, last_B1))[:, 0]


def candidates(logits_BV: Float[Tensor, "B V"], sampling: Sampling) -> tuple[Int[Tensor, "B C"], Float[Tensor, "B C"]]:
    """Return the ids that may be drawn at a temperature above 0 and their weights, in proportion to p.

    A row with fewer candidates than C ends in weights of 0. The weights are float64: float32 loses the tail of a
    cumulative sum over 100,000 tokens (Apple's GPU has no float64 and uses float32).
    """
    wide_BV = logits_BV.detach().to(torch.float32 if logits_BV.device.type == "mps" else torch.float64)
    # The maximum is subtracted first: the greatest weight is then 1 at any temperature, however close to 0.
    weights_BV = ((wide_BV - wide_BV.amax(dim=-1, keepdim=True)) / sampling.temperature).exp()
    total_B1 = weights_BV.sum(dim=-1, keepdim=True)
    vocab_size = weights_BV.shape[-1]

    # Sorting the whole vocabulary would cost more than all the rest, so first drop what no filter can admit. Tokens
    # with p below (1 - top_p) / V cannot reach 1 - top_p together, so those above that cover top_p.
    least_B1 = ((1 - sampling.top_p) / vocab_size * total_B1).clamp(
        min=max(sampling.min_p, torch.finfo(weights_BV.dtype).tiny)
    )
    if sampling.top_k is not None and sampling.top_k < vocab_size:
        least_B1 = torch.maximum(least_B1, weights_BV.topk(sampling.top_k, dim=-1).values[:, -1:])
    ids_BC, weights_BC = _compact(weights_BV, weights_BV >= least_B1)
    if sampling.top_k is None and sampling.top_p == 1:
        return ids_BC, weights_BC

    # Stable: of equal weights the lower id comes first, as `Sampling` defines.
    weights_BC, order_BC = weights_BC.sort(dim=-1, descending=True, stable=True)
    ids_BC = ids_BC.gather(-1, order_BC)[:, : sampling.top_k]
    weights_BC = weights_BC[:, : sampling.top_k]
    if sampling.top_p < 1:
        # A candidate stays while those before it hold less than top_p. The sums leave out the candidate itself by a
        # shift, not by subtraction, which would round.
        before_BC = weights_BC.cumsum(dim=-1).roll(1, dims=-1)
        before_BC[:, 0] = 0
        weights_BC = weights_BC.masked_fill(before_BC >= sampling.top_p * total_B1, 0)
    return ids_BC, weights_BC


def _compact(weights_BV: Float[Tensor, "B V"], admitted_BV: Tensor) -> tuple[Int[Tensor, "B C"], Float[Tensor, "B C"]]:
    """Move each row's admitted ids to its front, in order of id, and pad with weights of 0."""
    counts_B = admitted_BV.sum(dim=-1)
    rows_N, ids_N = admitted_BV.nonzero(as_tuple=True)
    # nonzero lists row after row: an id's column is its place in the list less the counts of the rows before.
    columns_N = torch.arange(len(rows_N), device=rows_N.device) - (counts_B.cumsum(dim=0) - counts_B)[rows_N]
    shape = (len(weights_BV), int(counts_B.max()))
    ids_BC, weights_BC = ids_N.new_zeros(shape), weights_BV.new_zeros(shape)
    ids_BC[rows_N, columns_N] = ids_N
    weights_BC[rows_N, columns_N] = weights_BV[rows_N, ids_N]
    return ids_BC, weights_BC
