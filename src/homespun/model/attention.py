"""Attention: every position gathers from those it may see, weighted by how well its query matches their keys."""

from math import sqrt
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from homespun.model.kernels.causal_attention import causal_attention
from homespun.model.layers import Linear, softmax, widen
from homespun.model.rope import RotaryPositionalEmbedding
from homespun.shapes import HiddenBTD


@runtime_checkable
class KeyValueStore(Protocol):
    """What remembers the keys and values of positions already seen, layer by layer."""

    def extend(
        self, layer_index: int, key_BHTK: Float[Tensor, "B H T K"], value_BHTK: Float[Tensor, "B H T K"]
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"], Bool[Tensor, "*#B T S"] | None]:
        """Add T new positions to a layer's store; return all S now in it and the mask of those each query may see.

        None for a mask: every query sees all of them.
        """
        ...


def causal_mask(
    num_queries: int, num_keys: int, device: torch.device | str | None = None
) -> Bool[Tensor, "num_queries num_keys"]:
    """True where a query may look: the queries are the last `num_queries` of `num_keys` positions.

    causal_mask(2, 4) is [[True, True, True, False], [True, True, True, True]].
    """
    queries = torch.arange(num_keys - num_queries, num_keys, device=device)
    return torch.arange(num_keys, device=device) <= queries[:, None]


def scaled_dot_product_attention(
    Q: Float[Tensor, "*B T K"],
    K: Float[Tensor, "*B S K"],
    V: Float[Tensor, "*B S Kv"],
    mask: Bool[Tensor, "*#B T S"] | None = None,
) -> Float[Tensor, "*B T Kv"]:
    """Average the values, weighted by softmax(Q K^T / sqrt(K)); where `mask` is False the weight is zero.

    A query whose mask is False everywhere gets zeros. Softmax is taken in float32 at least.

    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
    """
    scores = widen((Q / sqrt(Q.shape[-1])) @ K.transpose(-2, -1))
    if mask is None:
        weights = softmax(scores, dim=-1)
    else:
        # The least finite number, not -inf: a row of -inf has no softmax, and its gradient would be NaN.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = softmax(scores, dim=-1).masked_fill(~mask, 0.0)
    return weights.to(V.dtype) @ V


class CausalMultiHeadSelfAttention(nn.Module):
    """Attention of a sequence to itself, in `num_heads` subspaces, each position seeing itself and what came before.

    Args:
        rope: Rotates queries and keys by their positions; None leaves attention blind to order but for the mask.
        layer_index: Which store of a cache is this layer's.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        rope: RotaryPositionalEmbedding | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer_index: int = 0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.layer_index = layer_index
        self.q_proj = Linear(d_model, d_model, device, dtype)
        self.k_proj = Linear(d_model, d_model, device, dtype)
        self.v_proj = Linear(d_model, d_model, device, dtype)
        self.output_proj = Linear(d_model, d_model, device, dtype)
        self.rope = rope

    def forward(
        self,
        x_BTD: HiddenBTD,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> HiddenBTD:
        q_BHTK, k_BHTK, v_BHTK = (
            rearrange(project(x_BTD), "B T (H K) -> B H T K", H=self.num_heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.rope is not None:
            if token_positions is not None:
                token_positions = token_positions.unsqueeze(-2)  # the same for every head
            q_BHTK, k_BHTK = self.rope(q_BHTK, token_positions), self.rope(k_BHTK, token_positions)
        if cache is None and x_BTD.is_cpu and not torch.compiler.is_compiling():
            attended_BHTK = causal_attention(q_BHTK, k_BHTK, v_BHTK)
        else:
            k_BHSK, v_BHSK, mask = k_BHTK, v_BHTK, None
            if cache is not None:
                k_BHSK, v_BHSK, mask = cache.extend(self.layer_index, k_BHTK, v_BHTK)
            elif q_BHTK.shape[-2] > 1:
                mask = causal_mask(q_BHTK.shape[-2], q_BHTK.shape[-2], x_BTD.device)
            attended_BHTK = scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, mask)
        return self.output_proj(rearrange(attended_BHTK, "B H T K -> B T (H K)"))
