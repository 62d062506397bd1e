"""Attention: every position averages the values that it may see, weighted by how well its query matches their keys."""

from typing import Protocol, runtime_checkable

from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from homespun.model import ops
from homespun.model.config import ModelConfig
from homespun.model.layers import Identity, Linear, RMSNorm, ValueGate
from homespun.model.ops.reference import scaled_dot_product_attention
from homespun.model.rope import RotaryPositionalEmbedding
from homespun.shapes import Device, Dtype, HiddenBTD


@runtime_checkable
class KeyValueStore(Protocol):
    """A cache of the keys and values of the positions before, layer by layer."""

    def extend(
        self, layer_index: int, key_BHTK: Float[Tensor, "B H T K"], value_BHTK: Float[Tensor, "B H T K"]
    ) -> tuple[Float[Tensor, "B H S K"], Float[Tensor, "B H S K"], Bool[Tensor, "*#B T S"] | None]:
        """Add T new positions to a layer's store; return all S now in it and the mask of those each query may see.

        None for a mask: the queries are the last T of the S positions, and each sees those up to its own.
        """
        ...


class CausalMultiHeadSelfAttention(nn.Module):
    """Self-attention in `num_heads` subspaces; each position sees itself and the positions before it.

    Args:
        rope: Rotates queries and keys by their positions; without it only the mask depends on the order.
        layer_index: The layer's place in a cache.
        qk_norm: Rescale each head's queries and keys to unit root mean square and by a gain, which the heads share.
            Without it the scores can grow in training until softmax saturates.
        norm_eps: Added to the mean square inside these norms.
        zero_init: Whether the output projection begins at zero, as in `SiLUFeedForward`.
        value_gate_channels: Channels of the input that the gate of a value embedding sees; 0: the layer has none.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2. QK-norm: Henry et al. 2020, arXiv:2010.04245;
        before RoPE and with a gain, as in Dehghani et al. 2023, arXiv:2302.05442.
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        rope: RotaryPositionalEmbedding | None = None,
        device: Device = None,
        dtype: Dtype = None,
        *,
        layer_index: int = 0,
        qk_norm: bool = False,
        norm_eps: float = 1e-5,
        zero_init: bool = False,
        value_gate_channels: int = 0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.layer_index = layer_index
        self.q_proj = Linear(d_model, d_model, device, dtype)
        self.k_proj = Linear(d_model, d_model, device, dtype)
        self.v_proj = Linear(d_model, d_model, device, dtype)
        self.output_proj = Linear(d_model, d_model, device, dtype, begins_at_zero=zero_init)
        d_head = d_model // num_heads
        self.q_norm = RMSNorm(d_head, norm_eps, device, dtype) if qk_norm else Identity()
        self.k_norm = RMSNorm(d_head, norm_eps, device, dtype) if qk_norm else Identity()
        self.rope = rope
        self.value_gate = ValueGate(value_gate_channels, num_heads, device, dtype) if value_gate_channels else None

    def forward(
        self,
        x_BTD: HiddenBTD,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
        value_embedding_BTD: HiddenBTD | None = None,
    ) -> HiddenBTD:
        values_BTD = self.v_proj(x_BTD)
        if self.value_gate is not None and value_embedding_BTD is not None:
            values_BTD = self.value_gate(x_BTD, values_BTD, value_embedding_BTD)
        q_BHTK, k_BHTK, v_BHTK = (
            rearrange(y_BTD, "B T (H K) -> B H T K", H=self.num_heads)
            for y_BTD in (self.q_proj(x_BTD), self.k_proj(x_BTD), values_BTD)
        )
        q_BHTK, k_BHTK = self.q_norm(q_BHTK), self.k_norm(k_BHTK)
        if self.rope is not None:
            if token_positions is not None:
                token_positions = token_positions.unsqueeze(-2)  # the same for every head
            q_BHTK, k_BHTK = self.rope(q_BHTK, token_positions), self.rope(k_BHTK, token_positions)
        k_BHSK, v_BHSK, mask = k_BHTK, v_BHTK, None
        if cache is not None:
            k_BHSK, v_BHSK, mask = cache.extend(self.layer_index, k_BHTK, v_BHTK)
        if mask is None:
            attended_BHTK = ops.causal_attention(q_BHTK, k_BHSK, v_BHSK)
        else:
            attended_BHTK = scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, mask)
        return self.output_proj(rearrange(attended_BHTK, "B H T K -> B T (H K)"))

    def __repr__(self) -> str:
        d_model = self.q_proj.weight.shape[1]
        rope = "" if self.rope is None else f", rope={self.rope}"
        return f"CausalMultiHeadSelfAttention(d_model={d_model}, num_heads={self.num_heads}{rope})"


def build_attention(
    config: ModelConfig, layer_index: int, rope: RotaryPositionalEmbedding | None, device: Device, dtype: Dtype
) -> CausalMultiHeadSelfAttention:
    """Build the attention of one block."""
    return CausalMultiHeadSelfAttention(
        config.d_model,
        config.num_heads,
        rope,
        device,
        dtype,
        layer_index=layer_index,
        qk_norm=config.qk_norm,
        norm_eps=config.norm_eps,
        zero_init=config.zero_init,
        value_gate_channels=config.value_gate_channels if layer_index in config.value_embedding_layers else 0,
    )
