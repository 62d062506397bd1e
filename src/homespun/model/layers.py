"""The layers a block is built of: matrices, tables, normalisation, feed-forward networks."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model.init import fill_truncated_normal, linear_std
from homespun.model.kernels.gate import silu_gate


def widen(x: Tensor) -> Tensor:
    """`x` in float32 at least: 16-bit formats have too few significant bits to sum many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def silu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The sigmoid linear unit, x * sigmoid(x).

    Source: Elfwing et al. 2017, arXiv:1702.03118, eq. 10.
    """
    return x * torch.sigmoid(x)


def softmax(x: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Positive weights along `dim` that sum to one, in proportion to exp(x).

    The greatest element is subtracted first, which cancels in the quotient: exp never overflows. 16-bit inputs are
    summed in float32 and come back in their own dtype.
    """
    wide = widen(x)
    exp = torch.exp(wide - wide.amax(dim=dim, keepdim=True))
    return (exp / exp.sum(dim=dim, keepdim=True)).to(x.dtype)


class Linear(nn.Module):
    """Multiply by a matrix: y = x W^T, with W of shape (out_features, in_features) and no bias."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        out_features, in_features = self.weight.shape
        fill_truncated_normal(self.weight, linear_std(in_features, out_features), generator)

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        return x @ self.weight.T


class Embedding(nn.Module):
    """Look up a row of a table for every token id.

    Ids outside the table are an IndexError on the CPU; elsewhere they are the caller's to check, as the values would
    have to be copied from the device first.

    Args:
        std: Width of the normal that the table is drawn from. A table that doubles as the output head wants that of a
            `Linear` instead of the default: rows of unit variance would make logits of variance `embedding_dim`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        std: float = 1.0,
    ) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(torch.empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        fill_truncated_normal(self.weight, self.std, generator)

    def forward(self, token_ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
        # index_select, not self.weight[token_ids]: its gradient is one index_add, not a sort of all ids.
        return self.weight.index_select(0, token_ids.flatten()).unflatten(0, token_ids.shape)


class RMSNorm(nn.Module):
    """Rescale each vector to unit root mean square, then by a learned gain.

        y = x / sqrt(mean(x**2) + eps) * weight

    Computed in float32 whatever the input's dtype: bfloat16 has 8 significant bits, too few to sum D squares. float64
    is no exception, so that a float64 model is the model that transformers' Llama is in float64.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.
    """

    def __init__(
        self,
        d_model: int,
        eps: float = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(d_model, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        with torch.no_grad():
            self.weight.fill_(1.0)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        x32 = x.float()
        inv_rms = torch.rsqrt(x32.square().mean(dim=-1, keepdim=True) + self.eps)
        return (x32 * inv_rms * self.weight).to(x.dtype)


class SwiGLU(nn.Module):
    """A feed-forward network whose inner channels are gated: W2 (silu(W1 x) * W3 x).

    Source: Shazeer 2020, arXiv:2002.05202, eq. 6.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.w1 = Linear(d_model, d_ff, device, dtype)
        self.w2 = Linear(d_ff, d_model, device, dtype)
        self.w3 = Linear(d_model, d_ff, device, dtype)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        gated = silu(self.w1(x)) * self.w3(x) if torch.compiler.is_compiling() else silu_gate(self.w1(x), self.w3(x))
        return self.w2(gated)


class SiLUFeedForward(nn.Module):
    """The ungated feed-forward network, W2 silu(W1 x): what SwiGLU is compared with."""

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.w1 = Linear(d_model, d_ff, device, dtype)
        self.w2 = Linear(d_ff, d_model, device, dtype)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.w2(silu(self.w1(x)))


class Identity(nn.Module):
    """Hand the input on: stands where a model without normalisation has no norm; it has no parameters."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return x
