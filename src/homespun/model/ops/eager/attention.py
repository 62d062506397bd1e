"""Causal attention that never holds all scores at once, nor computes those that the mask would discard.

A few heads at a time are processed in blocks of queries, each against the keys up to the block's last position. The
scores of one block fit the cache; for the backward pass only their logsumexp is kept, from which the weights are
computed again.

N heads of all sequences, B x H   T, S within a block: its queries and the keys that they see

Source: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, appendix B.
"""

from collections.abc import Iterator
from math import inf, sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.model.ops import reference
from homespun.model.ops.reference import widen

QUERIES_PER_BLOCK = 128
"""Few enough that little is computed that the mask discards, enough that matrix multiplies are efficient."""

MIN_QUERIES = 16
"""Fewer new positions of a cached sequence are left to the reference: their scores fit the cache in any case, and
copying the keys out of their larger buffer would cost more than blocks save."""

BYTES_PER_BLOCK = 4 * 2**20
"""Scores held at once, in float32. The backward pass works on three such blocks, which should fit the last-level
cache; much smaller ones would spend their time on synchronizing threads."""


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHSK: Float[Tensor, "B H S K"], v_BHSK: Float[Tensor, "B H S K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from each of the last T of S positions to itself and the positions before it."""
    num_queries, num_keys = q_BHTK.shape[-2], k_BHSK.shape[-2]
    if num_queries < num_keys and num_queries < MIN_QUERIES:
        return reference.causal_attention(q_BHTK, k_BHSK, v_BHSK)
    # Heads in one axis, each contiguous, so that a block may hold any number of them.
    q_NTK, k_NSK, v_NSK = (x.flatten(0, 1).contiguous() for x in (q_BHTK, k_BHSK, v_BHSK))
    return _CausalAttention.apply(q_NTK, k_NSK, v_NSK).unflatten(0, q_BHTK.shape[:2])


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_NTK: Tensor, k_NSK: Tensor, v_NSK: Tensor) -> Tensor:
        out_NTK, logsumexp_NT1 = torch.empty_like(q_NTK), torch.empty_like(widen(q_NTK[..., :1]))
        mask_TS, scale = _mask_of_last_block(q_NTK, k_NSK), 1 / sqrt(q_NTK.shape[-1])
        for heads in _groups_of_heads(q_NTK, k_NSK):
            for block, seen in _blocks(q_NTK, k_NSK):
                scores_NTS = _masked_scores(q_NTK[heads, block], k_NSK[heads, seen], mask_TS, scale)
                max_NT1 = scores_NTS.amax(dim=-1, keepdim=True)
                exp_NTS = scores_NTS.sub_(max_NT1).exp_()
                sum_NT1 = exp_NTS.sum(dim=-1, keepdim=True)
                # Dividing the K outputs of a query, not its up to S weights.
                out_NTK[heads, block] = torch.bmm(exp_NTS.to(v_NSK.dtype), v_NSK[heads, seen]) / sum_NT1
                logsumexp_NT1[heads, block] = sum_NT1.log_().add_(max_NT1)
        ctx.save_for_backward(q_NTK, k_NSK, v_NSK, out_NTK, logsumexp_NT1)
        return out_NTK

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_NTK: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q_NTK, k_NSK, v_NSK, out_NTK, logsumexp_NT1 = ctx.saved_tensors
        dq_NTK, dk_NSK, dv_NSK = torch.empty_like(q_NTK), torch.empty_like(k_NSK), torch.empty_like(v_NSK)
        grad_NTK = grad_NTK.contiguous()
        mask_TS, scale = _mask_of_last_block(q_NTK, k_NSK), 1 / sqrt(q_NTK.shape[-1])
        for heads in _groups_of_heads(q_NTK, k_NSK):
            # Softmax's Jacobian needs sum_s(weight * dweight) of each query, which equals <dout, out>.
            mean_NT1 = (widen(grad_NTK[heads]) * out_NTK[heads]).sum(dim=-1, keepdim=True)
            offset_NT1 = mean_NT1.mul_(-scale).to(q_NTK.dtype)
            # Each key gets gradients from every block that sees it: summed in float32 at least, then rounded once.
            dk_sum_NSK, dv_sum_NSK = torch.zeros_like(widen(k_NSK[heads])), torch.zeros_like(widen(v_NSK[heads]))
            for block, seen in _blocks(q_NTK, k_NSK):
                q, k, v, grad = q_NTK[heads, block], k_NSK[heads, seen], v_NSK[heads, seen], grad_NTK[heads, block]
                scores_NTS = _masked_scores(q, k, mask_TS, scale)
                # exp(score - logsumexp) is the softmax: no second pass for its maximum and sum.
                weights_NTS = scores_NTS.sub_(logsumexp_NT1[heads, block]).exp_().to(q.dtype)
                dv_sum_NSK[:, seen] += torch.bmm(weights_NTS.transpose(1, 2), grad)
                # dscores = weights * (dweights - mean) * scale
                centred_NTS = torch.baddbmm(offset_NT1[:, block], grad, v.transpose(1, 2), alpha=scale)
                dscores_NTS = centred_NTS.mul_(weights_NTS)
                dq_NTK[heads, block] = torch.bmm(dscores_NTS, k)
                dk_sum_NSK[:, seen] += torch.bmm(dscores_NTS.transpose(1, 2), q)
            dk_NSK[heads], dv_NSK[heads] = dk_sum_NSK, dv_sum_NSK
        return dq_NTK, dk_NSK, dv_NSK


def _masked_scores(q_NTK: Tensor, k_NSK: Tensor, mask_TS: Tensor, scale: float) -> Tensor:
    """Return a block's scaled scores, in float32 at least; -inf where the key comes after the query."""
    mask_TS = mask_TS[-q_NTK.shape[1] :, -k_NSK.shape[1] :]
    return widen(torch.baddbmm(mask_TS, q_NTK, k_NSK.transpose(1, 2), alpha=scale))


def _mask_of_last_block(q_NTK: Tensor, k_NSK: Tensor) -> Tensor:
    """Return 0 up to the diagonal and -inf after it. The mask of every other block is its bottom right corner."""
    rows, num_keys = min(QUERIES_PER_BLOCK, q_NTK.shape[1]), k_NSK.shape[1]
    mask_TS = torch.full((rows, num_keys), -inf, dtype=q_NTK.dtype, device=q_NTK.device)
    return mask_TS.triu_(num_keys - rows + 1)


def _groups_of_heads(q_NTK: Tensor, k_NSK: Tensor) -> Iterator[slice]:
    """Yield as many heads at a time as `BYTES_PER_BLOCK` has room for, and at least one."""
    num_heads, num_queries = q_NTK.shape[:2]
    count = max(1, BYTES_PER_BLOCK // (4 * min(QUERIES_PER_BLOCK, num_queries) * k_NSK.shape[1]))
    for start in range(0, num_heads, count):
        yield slice(start, start + count)


def _blocks(q_NTK: Tensor, k_NSK: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield each block of queries and the keys that its last query sees."""
    num_queries, num_keys = q_NTK.shape[1], k_NSK.shape[1]
    for start in range(0, num_queries, QUERIES_PER_BLOCK):
        end = min(start + QUERIES_PER_BLOCK, num_queries)
        yield slice(start, end), slice(0, num_keys - num_queries + end)
