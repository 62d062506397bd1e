"""The layers that a block is built of: matrices, tables, normalization, feed-forward networks.

d_in, d_out widths of a matrix's input and output; the other letters are those of `homespun.shapes`.
"""

from math import sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.model import ops
from homespun.model.config import ModelConfig
from homespun.shapes import Device, Dtype, HiddenBTD, TokensBT


def linear_std(in_features: int, out_features: int) -> float:
    """Return the standard deviation that keeps variance steady through a linear layer, forward and backward on average.

        sqrt(2 / (in_features + out_features))

    Source: Glorot & Bengio 2010, eq. 16.
    """
    return sqrt(2 / (in_features + out_features))


def fill_truncated_normal(weight: torch.Tensor, std: float, generator: torch.Generator | None = None) -> None:
    """Draw every element of `weight` from a normal of mean 0, truncated at three standard deviations."""
    nn.init.trunc_normal_(weight, std=std, a=-3 * std, b=3 * std, generator=generator)


class Linear(nn.Module):
    """Multiply by a matrix: y = x W^T, with W of shape (out_features, in_features) and no bias.

    Args:
        begins_at_zero: Whether W does. It is drawn all the same, so that what is drawn after it stays as it is.
    """

    begins_at_zero = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        device: Device = None,
        dtype: Dtype = None,
        *,
        begins_at_zero: bool = False,
    ) -> None:
        super().__init__()
        self.begins_at_zero = begins_at_zero
        self.weight = nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        out_features, in_features = self.weight.shape
        fill_truncated_normal(self.weight, linear_std(in_features, out_features), generator)
        if self.begins_at_zero:
            with torch.no_grad():
                self.weight.zero_()

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        return ops.linear(x, self.weight)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}"


class Embedding(nn.Module):
    """Look up a row of a table for every token id.

    Ids outside the table are an IndexError on the CPU; on other devices the caller checks them, as the values would
    have to be copied from the device first.

    Args:
        std: Standard deviation of the table's initial values. A table that is also the output head needs that of a
            `Linear` instead of the default: rows of unit variance would make logits of variance `embedding_dim`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: Device = None,
        dtype: Dtype = None,
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
        return ops.embedding(self.weight, token_ids)

    def extra_repr(self) -> str:
        num_embeddings, embedding_dim = self.weight.shape
        return f"num_embeddings={num_embeddings}, embedding_dim={embedding_dim}"


class BigramEmbedding(nn.Module):
    """Look up a row for the last two ids by a hash, (36313 id XOR 27191 previous id) mod num_buckets.

    Pairs that share a bucket share its row. The first token of a sequence has no row. The table begins at zero, so that
    a new model is the one without it.

    Source: Jordan et al., https://github.com/KellerJordan/modded-nanogpt (`get_bigram_hash`), which has a row of its
        own for the first token; with hashing as in Svenstrup et al. 2017, arXiv:1709.03933.
    """

    def __init__(self, num_buckets: int, embedding_dim: int, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_buckets, embedding_dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        with torch.no_grad():
            self.weight.zero_()

    def forward(self, token_ids_BT: TokensBT, previous_ids_B: Int[Tensor, " B"] | None = None) -> HiddenBTD:
        """Return a row for each token; zeros where there is none before it.

        Args:
            token_ids_BT: The tokens.
            previous_ids_B: The id before the first of each sequence, -1 for none; None: none has one.
        """
        ids_BT = token_ids_BT.long()  # products of int32 would overflow
        first_B = ids_BT.new_full(ids_BT.shape[:1], -1) if previous_ids_B is None else previous_ids_B.long()
        previous_BT = torch.cat((first_B[:, None], ids_BT[:, :-1]), dim=1)
        buckets_BT = ((36313 * ids_BT) ^ (27191 * previous_BT)) % self.weight.shape[0]
        rows_BTD = ops.embedding(self.weight, buckets_BT)
        return rows_BTD * (previous_BT >= 0).unsqueeze(-1)


class RMSNorm(nn.Module):
    """Rescale each vector to unit root mean square, then by a learned gain.

        y = x / sqrt(mean(x**2) + eps) * weight

    Computed in float32 whatever the input's dtype: bfloat16 has 8 significant bits, too few to sum D squares. float64
    is no exception, so that a float64 model is the model that transformers' Llama is in float64.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.
    """

    def __init__(self, d_model: int, eps: float = 1e-5, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(d_model, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        with torch.no_grad():
            self.weight.fill_(1.0)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return ops.rms_norm(x, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"d_model={self.weight.shape[0]}, eps={self.eps}"


class EmbeddingResidual(nn.Module):
    """Scale the residual stream and add the embedding to it once more: lambda x + gamma x_0, before a block.

    Every block so has the token itself at hand, however much those before it have written. Both scalars are learned;
    they begin at 1 and 0, where the layer does nothing.

    Source: Jordan et al., https://github.com/KellerJordan/modded-nanogpt; Karpathy,
        https://github.com/karpathy/nanochat, where x_0 is the embedding scaled to unit root mean square and is also
        what the stream begins with, as here.
    """

    def __init__(self, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        with torch.no_grad():
            self.weight[0], self.weight[1] = 1.0, 0.0

    def forward(self, x: Float[Tensor, "*B D"], embedding: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return ops.scaled_sum(x, embedding, self.weight)


class ValueGate(nn.Module):
    """Add to the values of attention an embedding of their token, weighed for each head by the layer's input.

        v + (1 + u / sqrt(1 + u^2)) e     with u = W x, of the first channels of x

    W begins at zero, where every weight is 1; weights are between 0 and 2. The sources have 2 or 3 sigmoid(u); this
    one consists of exactly rounded operations, so that no micro-batch and no number of threads changes a bit.

    Source: Jordan et al., https://github.com/KellerJordan/modded-nanogpt (the embedding); Karpathy,
        https://github.com/karpathy/nanochat (the gate); kin to value residuals, Zhou et al. 2024, arXiv:2410.17897.
    """

    def __init__(self, num_channels: int, num_heads: int, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_heads, num_channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        with torch.no_grad():
            self.weight.zero_()

    def forward(self, x_BTD: HiddenBTD, values_BTD: HiddenBTD, embedding_BTD: HiddenBTD) -> HiddenBTD:
        num_heads, num_channels = self.weight.shape
        u_BTH = ops.linear(x_BTD[..., :num_channels], self.weight)
        gate_BTH1 = (1 + u_BTH / (1 + u_BTH * u_BTH).sqrt()).unsqueeze(-1)
        weighed_BTHK = gate_BTH1 * embedding_BTD.unflatten(-1, (num_heads, -1))
        return values_BTD + weighed_BTHK.flatten(-2)


class SiLUFeedForward(nn.Module):
    """The feed-forward network without a gate, W2 silu(W1 x); the baseline for SwiGLU.

    Args:
        zero_init: Whether W2 begins at zero, so that the residual stream passes a new block unchanged, with gradients
            of unit scale at any depth. Source: Zhang et al. 2019 (Fixup), arXiv:1901.09321, section 3.
    """

    def __init__(
        self, d_model: int, d_ff: int, device: Device = None, dtype: Dtype = None, *, zero_init: bool = False
    ) -> None:
        super().__init__()
        self.w1 = Linear(d_model, d_ff, device, dtype)
        self.w2 = Linear(d_ff, d_model, device, dtype, begins_at_zero=zero_init)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.w2(ops.silu(self.w1(x)))

    def __repr__(self) -> str:
        d_ff, d_model = self.w1.weight.shape
        return f"{type(self).__name__}(d_model={d_model}, d_ff={d_ff})"


class SwiGLU(SiLUFeedForward):
    """A feed-forward network with gated inner channels: W2 (silu(W1 x) * W3 x).

    Source: Shazeer 2020, arXiv:2002.05202, eq. 6.
    """

    def __init__(
        self, d_model: int, d_ff: int, device: Device = None, dtype: Dtype = None, *, zero_init: bool = False
    ) -> None:
        super().__init__(d_model, d_ff, device, dtype, zero_init=zero_init)
        self.w3 = Linear(d_model, d_ff, device, dtype)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.w2(ops.silu_gate(self.w1(x), self.w3(x)))


class ReLUSquaredFeedForward(SiLUFeedForward):
    """The feed-forward network without a gate, W2 relu(W1 x)^2, of two matrices as GPT-2's.

    Source: So et al. 2021 (Primer), arXiv:2109.08668, section 4.2.
    """

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.w2(ops.relu_squared(self.w1(x)))


class Identity(nn.Module):
    """Return the input: takes the place of RMSNorm in a model without normalization; it has no parameters."""

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return x


def initialise(model: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all parameters of `model` again, in the order of `model.modules()`.

    Layers draw their own parameters when they are built, from torch's global generator. This is for a model built
    without values (on the device "meta", then `to_empty`), or for values from a generator of one's own.
    """
    for module in model.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset(generator)


def build_norm(config: ModelConfig, device: Device = None, dtype: Dtype = None) -> RMSNorm | Identity:
    """Build a norm of the residual stream, where `config.norm` has one."""
    return Identity() if config.norm == "none" else RMSNorm(config.d_model, config.norm_eps, device, dtype)


def build_feed_forward(config: ModelConfig, device: Device = None, dtype: Dtype = None) -> SiLUFeedForward:
    """Build the feed-forward network of one block."""
    kind = {"swiglu": SwiGLU, "silu": SiLUFeedForward, "relu2": ReLUSquaredFeedForward}[config.feed_forward]
    return kind(config.d_model, config.d_ff, device, dtype, zero_init=config.zero_init)
