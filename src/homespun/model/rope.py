"""Rotary position embedding: positions enter as rotations of the channel pairs of queries and keys.

k channel pairs of a head, K / 2
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model import ops
from homespun.model.config import ModelConfig
from homespun.shapes import Device


def rope_tables(
    theta: float, d_head: int, num_positions: int, device: Device = None
) -> tuple[Float[Tensor, "T k"], Float[Tensor, "T k"]]:
    """Return cosines and sines of every position's angles, p * theta**(-2i / d_head) for pair i, in float32.

    Every step is in float32, as in the implementations that trained the known checkpoints: a more exact table would
    be another model.

    Source: Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 15.
    """
    exponents = torch.arange(0, d_head, 2, device=device, dtype=torch.int64).float() / d_head
    frequencies_k = 1.0 / theta**exponents
    angles_Tk = torch.arange(num_positions, device=device).float()[:, None] * frequencies_k
    return angles_Tk.cos(), angles_Tk.sin()


class RotaryPositionalEmbedding(nn.Module):
    """Rotate queries or keys by their positions, so that scores depend on distances alone.

    The tables are float32 whatever dtype the model is moved to (bfloat16 cannot tell position 256 from 257), and are
    computed rather than stored with the weights: they are not parameters.

    Args:
        theta: Base of the wavelengths, which run from 2 pi to about 2 pi theta positions.
        d_k: Width of one head, in channels; even.
        max_seq_len: Positions run from 0 to max_seq_len - 1.
    """

    cos_Tk: Tensor
    sin_Tk: Tensor

    def __init__(self, theta: float, d_k: int, max_seq_len: int, device: Device = None) -> None:
        super().__init__()
        self.theta, self.d_k, self.max_seq_len = theta, d_k, max_seq_len
        self._compute_tables(device)

    def _compute_tables(self, device: Device) -> None:
        cos_Tk, sin_Tk = rope_tables(self.theta, self.d_k, self.max_seq_len, device)
        self.register_buffer("cos_Tk", cos_Tk, persistent=False)
        self.register_buffer("sin_Tk", sin_Tk, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RotaryPositionalEmbedding":
        # Every .to(), .bfloat16(), .to_empty() comes through here. It would round the tables or leave them without
        # values, so only the device is followed. The blocks of a model share one module, which gets here once a block:
        # all calls but the first find it on the device.
        device = fn(self.cos_Tk[:0]).device
        if device != self.cos_Tk.device:
            self._compute_tables(device)
        return self

    def extra_repr(self) -> str:
        return f"theta={self.theta}, d_k={self.d_k}, max_seq_len={self.max_seq_len}"

    def forward(
        self, x: Float[Tensor, "*B T K"], token_positions: Int[Tensor, "*#B T"] | None = None
    ) -> Float[Tensor, "*B T K"]:
        if token_positions is None:
            num_positions = x.shape[-2]
            return ops.rotate_pairs(x, self.cos_Tk[:num_positions], self.sin_Tk[:num_positions])
        flat, shape = token_positions.flatten(), token_positions.shape
        cos = self.cos_Tk.index_select(0, flat).unflatten(0, shape)
        sin = self.sin_Tk.index_select(0, flat).unflatten(0, shape)
        return ops.rotate_pairs(x, cos, sin)


def build_rope(config: ModelConfig, device: Device = None) -> RotaryPositionalEmbedding | None:
    """Build the rotary embedding of a model, where `config.positions` has one."""
    if config.positions == "none":
        return None
    return RotaryPositionalEmbedding(config.rope_theta, config.d_head, config.context_length, device)
