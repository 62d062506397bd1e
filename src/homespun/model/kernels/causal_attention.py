"""Causal attention that never holds all scores at once, nor computes those that the mask would throw away.

The plain form is `scaled_dot_product_attention` with a causal mask. Here a few heads are worked on at a time, in blocks
of queries, against the keys up to the block's end. Scores of one piece fit the cache; for the backward pass only their
logsumexp is kept, from which the weights are computed again.

N counts heads of all sequences, B x H.

Source: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, appendix B.
"""

from collections.abc import Iterator
from math import inf, sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.model.layers import widen

QUERIES_PER_BLOCK = 128
"""Few enough that what the mask throws away is not computed, enough that products of matrices are efficient."""

BYTES_PER_PIECE = 4 * 2**20
"""Scores held at once, in float32. The backward pass has three such pieces at work, which should fit the last-level
cache; much smaller ones would spend their time on waiting for threads."""


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHTK: Float[Tensor, "B H T K"], v_BHTK: Float[Tensor, "B H T K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from every position to itself and those before it; differentiable once."""
    # Heads in one axis, each contiguous, so that a piece may be any number of them.
    q_NTK, k_NTK, v_NTK = (x.flatten(0, 1).contiguous() for x in (q_BHTK, k_BHTK, v_BHTK))
    return _CausalAttention.apply(q_NTK, k_NTK, v_NTK).unflatten(0, q_BHTK.shape[:2])


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_NTK: Tensor, k_NTK: Tensor, v_NTK: Tensor) -> Tensor:
        out_NTK, logsumexp_NT1 = torch.empty_like(v_NTK), torch.empty_like(widen(q_NTK[..., :1]))
        mask_TS, scale = _last_rows_of_mask(q_NTK), 1 / sqrt(q_NTK.shape[-1])
        for heads in _pieces(q_NTK):
            for block, seen in _blocks(q_NTK):
                scores_NTS = _masked_scores(q_NTK[heads, block], k_NTK[heads, seen], mask_TS, scale)
                max_NT1 = scores_NTS.amax(dim=-1, keepdim=True)
                exp_NTS = scores_NTS.sub_(max_NT1).exp_()
                sum_NT1 = exp_NTS.sum(dim=-1, keepdim=True)
                out_NTK[heads, block] = torch.bmm(exp_NTS.to(v_NTK.dtype), v_NTK[heads, seen]) / sum_NT1
                logsumexp_NT1[heads, block] = sum_NT1.log_().add_(max_NT1)
        ctx.save_for_backward(q_NTK, k_NTK, v_NTK, out_NTK, logsumexp_NT1)
        return out_NTK

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_NTK: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q_NTK, k_NTK, v_NTK, out_NTK, logsumexp_NT1 = ctx.saved_tensors
        dq_NTK, dk_NTK, dv_NTK = torch.empty_like(q_NTK), torch.empty_like(k_NTK), torch.empty_like(v_NTK)
        grad_NTK = grad_NTK.contiguous()
        mask_TS, scale = _last_rows_of_mask(q_NTK), 1 / sqrt(q_NTK.shape[-1])
        for heads in _pieces(q_NTK):
            # Softmax's Jacobian needs sum_s(weight * dweight) of each query, which equals <dout, out>.
            mean_NT1 = (widen(grad_NTK[heads]) * out_NTK[heads]).sum(dim=-1, keepdim=True)
            offset_NT1 = mean_NT1.mul_(-scale).to(q_NTK.dtype)
            # Sums over the blocks, in float32 at least.
            dk_NSK, dv_NSK = torch.zeros_like(widen(k_NTK[heads])), torch.zeros_like(widen(v_NTK[heads]))
            for block, seen in _blocks(q_NTK):
                q, k, v, grad = q_NTK[heads, block], k_NTK[heads, seen], v_NTK[heads, seen], grad_NTK[heads, block]
                scores_NTS = _masked_scores(q, k, mask_TS, scale)
                weights_NTS = scores_NTS.sub_(logsumexp_NT1[heads, block]).exp_().to(q.dtype)
                dv_NSK[:, seen] += torch.bmm(weights_NTS.transpose(1, 2), grad)
                # dscores = weights * (dweights - mean) * scale
                centred_NTS = torch.baddbmm(offset_NT1[:, block], grad, v.transpose(1, 2), alpha=scale)
                dscores_NTS = centred_NTS.mul_(weights_NTS)
                dq_NTK[heads, block] = torch.bmm(dscores_NTS, k)
                dk_NSK[:, seen] += torch.bmm(dscores_NTS.transpose(1, 2), q)
            dk_NTK[heads], dv_NTK[heads] = dk_NSK, dv_NSK
        return dq_NTK, dk_NTK, dv_NTK


def _masked_scores(q_NTK: Tensor, k_NSK: Tensor, mask_TS: Tensor, scale: float) -> Tensor:
    """Scaled scores of the last T of S positions, in float32 at least; -inf where the key comes after the query."""
    mask_TS = mask_TS[-q_NTK.shape[1] :, -k_NSK.shape[1] :]
    return widen(torch.baddbmm(mask_TS, q_NTK, k_NSK.transpose(1, 2), alpha=scale))


def _last_rows_of_mask(q_NTK: Tensor) -> Tensor:
    """The rows of the last block's queries: 0, and -inf after the diagonal. Every other block's lie inside."""
    num_positions = q_NTK.shape[1]
    rows = min(QUERIES_PER_BLOCK, num_positions)
    return torch.full((rows, num_positions), -inf, dtype=q_NTK.dtype, device=q_NTK.device).triu_(
        num_positions - rows + 1
    )


def _pieces(q_NTK: Tensor) -> Iterator[slice]:
    """Heads to be worked on together."""
    num_heads, num_positions = q_NTK.shape[:2]
    count = max(1, BYTES_PER_PIECE // (4 * min(QUERIES_PER_BLOCK, num_positions) * num_positions))
    for start in range(0, num_heads, count):
        yield slice(start, start + count)


def _blocks(q_NTK: Tensor) -> Iterator[tuple[slice, slice]]:
    """Queries to be worked on together, and the keys that they may see."""
    num_positions = q_NTK.shape[1]
    for start in range(0, num_positions, QUERIES_PER_BLOCK):
        end = min(start + QUERIES_PER_BLOCK, num_positions)
        yield slice(start, end), slice(0, end)
