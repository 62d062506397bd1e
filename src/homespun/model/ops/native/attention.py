"""Causal attention."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.kernels import as_array, empty, empty_like, kernels, uses_bfloat16
from homespun.model.ops import reference

MIN_QUERIES = 16
"""Fewer new positions of a cached sequence are left to the reference: keys and values would be packed for them."""


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHSK: Float[Tensor, "B H S K"], v_BHSK: Float[Tensor, "B H S K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from each of the last T of S positions to itself and the positions before it."""
    if q_BHTK.shape[2] < min(MIN_QUERIES, k_BHSK.shape[2]):
        return reference.causal_attention(q_BHTK, k_BHSK, v_BHSK)
    return _CausalAttention.apply(q_BHTK, k_BHSK, v_BHSK)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor) -> Tensor:
        # As projections make them, so that this copies nothing.
        q_BTHK, k_BSHK, v_BSHK = (x.transpose(1, 2).contiguous() for x in (q_BHTK, k_BHSK, v_BHSK))
        out_BTHK, logsumexp_BTH = empty_like(q_BTHK), empty(*q_BTHK.shape[:3])
        tensors = (q_BTHK, k_BSHK, v_BSHK, out_BTHK, logsumexp_BTH)
        ctx.bfloat16 = uses_bfloat16()
        kernels().attention(*map(as_array, tensors), bfloat16=ctx.bfloat16)
        ctx.save_for_backward(*tensors)
        return out_BTHK.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BHTK: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        saved = ctx.saved_tensors
        dq, dk, dv = (empty_like(x) for x in saved[:3])
        grad_BTHK = grad_BHTK.transpose(1, 2).contiguous()
        kernels().attention_backward(*map(as_array, (grad_BTHK, *saved, dq, dk, dv)), bfloat16=ctx.bfloat16)
        return dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)
