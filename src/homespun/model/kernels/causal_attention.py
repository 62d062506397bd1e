"""Causal attention that never holds all scores at once, nor those that the mask would throw away.

The plain form is `scaled_dot_product_attention` with a causal mask. Here each sequence is worked on by itself, in
blocks of queries, against the keys up to the block's end. Scores of one block fit the cache; for the backward pass only
their logsumexp is kept, from which the weights are computed again.

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


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHTK: Float[Tensor, "B H T K"], v_BHTK: Float[Tensor, "B H T K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from every position to itself and those before it; differentiable once."""
    return _CausalAttention.apply(q_BHTK, k_BHTK, v_BHTK)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
        out_BHTK = _empty_heads(v_BHTK)
        lse_BHT1 = torch.empty_like(widen(q_BHTK[..., :1]))
        for b in range(q_BHTK.shape[0]):
            q_HTK, k_HTK, v_HTK = q_BHTK[b], k_BHTK[b], v_BHTK[b]
            for start, end in _blocks(q_HTK.shape[1]):
                scores_HTS = _masked_scores(q_HTK[:, start:end], k_HTK[:, :end])
                max_HT1 = scores_HTS.amax(dim=-1, keepdim=True)
                exp_HTS = scores_HTS.sub_(max_HT1).exp_()
                sum_HT1 = exp_HTS.sum(dim=-1, keepdim=True)
                attended_HTK = torch.bmm(exp_HTS.to(v_HTK.dtype), v_HTK[:, :end])
                out_BHTK[b, :, start:end] = attended_HTK / sum_HT1
                lse_BHT1[b, :, start:end] = sum_HT1.log_().add_(max_HT1)
        ctx.save_for_backward(q_BHTK, k_BHTK, v_BHTK, out_BHTK, lse_BHT1)
        return out_BHTK

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BHTK: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        q_BHTK, k_BHTK, v_BHTK, out_BHTK, lse_BHT1 = ctx.saved_tensors
        dq_BHTK, dk_BHTK, dv_BHTK = _empty_heads(q_BHTK), _empty_heads(k_BHTK), _empty_heads(v_BHTK)
        scale = 1 / sqrt(q_BHTK.shape[-1])
        for b in range(q_BHTK.shape[0]):
            q_HTK, k_HTK, v_HTK, grad_HTK = q_BHTK[b], k_BHTK[b], v_BHTK[b], grad_BHTK[b]
            # Softmax's Jacobian needs sum_s(weight * dweight) of each query, which equals <dout, out>.
            mean_HT1 = (widen(grad_HTK) * out_BHTK[b]).sum(dim=-1, keepdim=True)
            dk_HTK, dv_HTK = torch.zeros_like(widen(k_HTK)), torch.zeros_like(widen(v_HTK))
            for start, end in _blocks(q_HTK.shape[1]):
                block, seen = slice(start, end), slice(0, end)
                scores_HTS = _masked_scores(q_HTK[:, block], k_HTK[:, seen])
                weights_HTS = scores_HTS.sub_(lse_BHT1[b, :, block]).exp_()
                dv_HTK[:, seen] += torch.bmm(weights_HTS.to(v_HTK.dtype).transpose(1, 2), grad_HTK[:, block])
                dweights_HTS = widen(torch.bmm(grad_HTK[:, block], v_HTK[:, seen].transpose(1, 2)))
                dscores_HTS = dweights_HTS.sub_(mean_HT1[:, block]).mul_(weights_HTS).mul_(scale).to(q_HTK.dtype)
                dq_BHTK[b, :, block] = torch.bmm(dscores_HTS, k_HTK[:, seen])
                dk_HTK[:, seen] += torch.bmm(dscores_HTS.transpose(1, 2), q_HTK[:, block])
            dk_BHTK[b], dv_BHTK[b] = dk_HTK, dv_HTK
        return dq_BHTK, dk_BHTK, dv_BHTK


def _blocks(num_queries: int) -> Iterator[tuple[int, int]]:
    for start in range(0, num_queries, QUERIES_PER_BLOCK):
        yield start, min(start + QUERIES_PER_BLOCK, num_queries)


def _masked_scores(q_HTK: Tensor, k_HSK: Tensor) -> Tensor:
    """Scaled scores of the last T of S positions, -inf where the key comes after the query."""
    num_queries = q_HTK.shape[1]
    scores_HTS = widen(torch.bmm(q_HTK, k_HSK.transpose(1, 2))).mul_(1 / sqrt(q_HTK.shape[-1]))
    future_TT = torch.full((num_queries, num_queries), -inf, dtype=scores_HTS.dtype, device=q_HTK.device).triu_(1)
    scores_HTS[:, :, -num_queries:] += future_TT
    return scores_HTS


def _empty_heads(like_BHTK: Tensor) -> Tensor:
    """An uninitialised (B, H, T, K) whose memory runs as (B, T, H, K): merging the heads then copies nothing."""
    return torch.empty_like(like_BHTK.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
