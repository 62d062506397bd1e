"""Rotary position embedding: positions enter as rotations of the channel pairs of queries and keys."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model.layers import widen


def rope_tables(
    theta: float, d_head: int, num_positions: int, device: torch.device | str | None = None
) -> tuple[Float[Tensor, "T half_K"], Float[Tensor, "T half_K"]]:
    """Cosines and sines of every position's angles, p * theta**(-2i / d_head) for pair i, in float32.

    All in float32, as the implementations that trained the known checkpoints have it: a more exact table would be
    another model.

    Source: Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 15.
    """
    exponents = torch.arange(0, d_head, 2, device=device, dtype=torch.int64).float() / d_head
    frequencies_k = 1.0 / theta**exponents
    angles_Tk = torch.arange(num_positions, device=device).float()[:, None] * frequencies_k
    return angles_Tk.cos(), angles_Tk.sin()


def rotate_pairs(
    x: Float[Tensor, "*B T K"],
    cos: Float[Tensor, "*#B T half_K"],
    sin: Float[Tensor, "*#B T half_K"],
) -> Float[Tensor, "*B T K"]:
    """Rotate channel pairs (0, 1), (2, 3), ... of each vector by its position's angles.

    Pairs are neighbours, as in the paper. Hugging Face checkpoints pair channel i with i + K/2 instead;
    `homespun.interop` permutes the weights.

    Source: Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 34.
    """
    if not torch.compiler.is_compiling():
        # A pair is a complex number, and turns by a product: a tenth of the time of the strided form below, which
        # compilers want, as they do not know complex numbers.
        pairs = torch.view_as_complex(widen(x).unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * torch.complex(cos, sin)).flatten(start_dim=-2).to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return rotated.flatten(start_dim=-2).to(x.dtype)


class RotaryPositionalEmbedding(nn.Module):
    """Rotate queries or keys by their positions, so that scores depend on distances alone.

    The tables are float32 whatever dtype the model is moved to (bfloat16 cannot tell position 256 from 257), and are
    made anew rather than stored with the weights: they are no parameters.

    Args:
        theta: Base of the wavelengths, which run from 2 pi to about 2 pi theta positions.
        d_k: Width of one head, in channels; even.
        max_seq_len: Positions run from 0 to max_seq_len - 1.
    """

    cos_Tk: Tensor
    sin_Tk: Tensor

    def __init__(self, theta: float, d_k: int, max_seq_len: int, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.theta, self.d_k, self.max_seq_len = theta, d_k, max_seq_len
        self._make_tables(device)

    def _make_tables(self, device: torch.device | str | None) -> None:
        cos_Tk, sin_Tk = rope_tables(self.theta, self.d_k, self.max_seq_len, device)
        self.register_buffer("cos_Tk", cos_Tk, persistent=False)
        self.register_buffer("sin_Tk", sin_Tk, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RotaryPositionalEmbedding":
        # Every .to(), .bfloat16(), .to_empty() comes through here: it would round the tables, or leave them unset.
        super()._apply(fn, recurse)
        self._make_tables(self.cos_Tk.device)
        return self

    def forward(
        self, x: Float[Tensor, "*B T K"], token_positions: Int[Tensor, "*#B T"] | None = None
    ) -> Float[Tensor, "*B T K"]:
        if token_positions is None:
            num_positions = x.shape[-2]
            return rotate_pairs(x, self.cos_Tk[:num_positions], self.sin_Tk[:num_positions])
        flat, shape = token_positions.flatten(), token_positions.shape
        cos = self.cos_Tk.index_select(0, flat).unflatten(0, shape)
        sin = self.sin_Tk.index_select(0, flat).unflatten(0, shape)
        return rotate_pairs(x, cos, sin)
