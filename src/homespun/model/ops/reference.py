"""Every operation of the model by its definition: the specification that each backend is tested against.

Nothing here is optimized: torch's autograd computes the gradients, to any order, and torch.compile can trace and fuse
all of it.

C channels that the gate of a value embedding sees
Kv width of a value   k channel pairs of a head, K / 2   N tokens of all sequences
d_in, d_out widths of a matrix's input and output
"""

from math import sqrt
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from homespun.shapes import Device, HiddenBTD

Reduction = Literal["mean", "sum"]
"""Of the losses of tokens."""

Activation = Literal["silu", "relu_squared"]
"""Of inner channels without a gate."""


def widen(x: Tensor) -> Tensor:
    """Return `x` in float32 at least: 16-bit formats have too few significant bits to sum many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def linear(x: Float[Tensor, "... d_in"], weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "... d_out"]:
    """Return x W^T."""
    return x @ weight.T


def embedding(table_VD: Float[Tensor, "V D"], ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
    """Return the row of each id."""
    # index_select, not table_VD[ids]: its gradient is one index_add, not a sort of all ids.
    return table_VD.index_select(0, ids.flatten()).unflatten(0, ids.shape)


def rms_norm(x: Float[Tensor, "... D"], weight: Float[Tensor, " D"], eps: float) -> Float[Tensor, "... D"]:
    """Return x / sqrt(mean(x**2) + eps) * weight, computed in float32 at the most.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.
    """
    x32 = x.float()
    inv_rms = torch.rsqrt(x32.square().mean(dim=-1, keepdim=True) + eps)
    return (x32 * inv_rms * weight).to(x.dtype)


def silu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the sigmoid linear unit, x * sigmoid(x).

    Source: Elfwing et al. 2017, arXiv:1702.03118, eq. 10.
    """
    return x * torch.sigmoid(x)


def silu_gate(a: Float[Tensor, "*B F"], b: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
    """Return silu(a) * b, the gate of SwiGLU.

    Source: Shazeer 2020, arXiv:2002.05202, eq. 6.
    """
    return silu(a) * b


def relu_squared(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return max(x, 0)^2.

    Source: So et al. 2021 (Primer), arXiv:2109.08668, section 4.2.
    """
    return torch.relu(x).square()


def scaled_sum(
    x: Float[Tensor, "*B D"], other: Float[Tensor, "*B D"], scales: Float[Tensor, "2"]
) -> Float[Tensor, "*B D"]:
    """Return scales[0] * x + scales[1] * other."""
    first, second = scales.to(x.dtype).unbind()
    return first * x + second * other


def softmax(x: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Return positive weights along `dim` that sum to one, in proportion to exp(x).

    The maximum is subtracted first, which cancels in the quotient: exp never overflows. 16-bit inputs are summed in
    float32 and the result has their dtype.
    """
    wide = widen(x)
    exp = torch.exp(wide - wide.amax(dim=dim, keepdim=True))
    return (exp / exp.sum(dim=dim, keepdim=True)).to(x.dtype)


def causal_mask(num_queries: int, num_keys: int, device: Device = None) -> Bool[Tensor, "num_queries num_keys"]:
    """Return True where a query may look: the queries are the last `num_queries` of `num_keys` positions.

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


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHSK: Float[Tensor, "B H S K"], v_BHSK: Float[Tensor, "B H S K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from each of the last T of S positions to itself and the positions before it."""
    num_queries, num_keys = q_BHTK.shape[-2], k_BHSK.shape[-2]
    # The last position sees all keys: generation's one new token needs no mask.
    mask_TS = None if num_queries == 1 else causal_mask(num_queries, num_keys, q_BHTK.device)
    return scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, mask_TS)


def rotate_pairs(
    x: Float[Tensor, "*B T K"], cos: Float[Tensor, "*#B T k"], sin: Float[Tensor, "*#B T k"]
) -> Float[Tensor, "*B T K"]:
    """Rotate channel pairs (0, 1), (2, 3), ... of each vector by its position's angles.

    Pairs are neighbours, as in the paper. Hugging Face checkpoints pair channel i with i + K/2 instead, so the rows of
    their query and key matrices are ordered differently.

    Source: Su et al. 2021 (RoFormer), arXiv:2104.09864, eq. 34.
    """
    even, odd = x[..., 0::2], x[..., 1::2]
    rotated = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return rotated.flatten(start_dim=-2).to(x.dtype)


def soft_cap(logits: Float[Tensor, "..."], cap: float) -> Float[Tensor, "..."]:
    """Return cap * tanh(logits / cap): about `logits` where they are small, and nowhere beyond `cap`.

    Computed in float32 at least. Without a bound, a model may lower the loss of what it knows by growing logits alone.

    Source: Gemma Team 2024 (Gemma 2), arXiv:2408.00118, section 2.
    """
    return (cap * torch.tanh(widen(logits) / cap)).to(logits.dtype)


def token_losses(logits: Float[Tensor, "*B V"], targets: Int[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return the negative log-likelihood of each target, -log softmax(logits)[target], in nats.

        loss = logsumexp(logits) - logits[target]

    Log and exp are cancelled, so no probability is ever rounded to zero. Taken in float32 at least.
    A target outside 0 ... V - 1 is an IndexError on the CPU.
    """
    wide = widen(logits)
    return torch.logsumexp(wide, dim=-1) - wide.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def cross_entropy(logits: Float[Tensor, "*B V"], targets: Int[Tensor, "*B"]) -> Float[Tensor, ""]:
    """Return the mean of `token_losses`, in nats: what training minimizes."""
    return token_losses(logits, targets).mean()


def linear_cross_entropy(
    hidden_ND: Float[Tensor, "N D"],
    weight_VD: Float[Tensor, "V D"],
    targets_N: Int[Tensor, " N"],
    reduction: Reduction = "mean",
    *,
    softcap: float | None = None,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the logits `hidden @ weight.T`, in nats: the mean over tokens, or the sum.

    With `softcap` the logits are bounded by it first (`soft_cap`).
    """
    logits_NV = widen(hidden_ND @ weight_VD.T)
    losses_N = token_losses(logits_NV if softcap is None else soft_cap(logits_NV, softcap), targets_N)
    return losses_N.sum() if reduction == "sum" else losses_N.mean()


def block(
    x_BTD: HiddenBTD,
    ln1: Float[Tensor, " D"],
    q_proj: Float[Tensor, "D D"],
    k_proj: Float[Tensor, "D D"],
    v_proj: Float[Tensor, "D D"],
    output_proj: Float[Tensor, "D D"],
    q_norm: Float[Tensor, " K"] | None,
    k_norm: Float[Tensor, " K"] | None,
    ln2: Float[Tensor, " D"],
    w1: Float[Tensor, "F D"],
    w3: Float[Tensor, "F D"] | None,
    w2: Float[Tensor, "D F"],
    cos: Float[Tensor, "T k"] | None,
    sin: Float[Tensor, "T k"] | None,
    num_heads: int,
    eps: float,
    activation: Activation = "silu",
    value_gate: Float[Tensor, "H C"] | None = None,
    value_embedding_BTD: HiddenBTD | None = None,
) -> HiddenBTD:
    """Return the residual stream after a block: attention and a feed-forward network, each behind a norm.

    Each head's queries and keys are normalized with the gains `q_norm` and `k_norm` and rotated by the angles, where
    these are given. The network has the gate `w3`; without one, inner channels go through `activation`. Embeddings are
    added to the values of each head by the weight 1 + u / sqrt(1 + u^2), where u is the product of `value_gate` and the
    first C channels of the normalized input.
    """
    normed_BTD = rms_norm(x_BTD, ln1, eps)
    q_BHTK, k_BHTK, v_BHTK = (
        linear(normed_BTD, weight).unflatten(-1, (num_heads, -1)).transpose(1, 2) for weight in (q_proj, k_proj, v_proj)
    )
    if value_gate is not None and value_embedding_BTD is not None:
        u_BTH = linear(normed_BTD[..., : value_gate.shape[1]], value_gate)
        weights_BHT1 = (1 + u_BTH / (1 + u_BTH * u_BTH).sqrt()).transpose(1, 2).unsqueeze(-1)
        v_BHTK = v_BHTK + weights_BHT1 * value_embedding_BTD.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    if q_norm is not None and k_norm is not None:
        q_BHTK, k_BHTK = rms_norm(q_BHTK, q_norm, eps), rms_norm(k_BHTK, k_norm, eps)
    if cos is not None and sin is not None:
        q_BHTK, k_BHTK = rotate_pairs(q_BHTK, cos, sin), rotate_pairs(k_BHTK, cos, sin)
    x_BTD = x_BTD + linear(causal_attention(q_BHTK, k_BHTK, v_BHTK).transpose(1, 2).flatten(2), output_proj)
    normed_BTD = rms_norm(x_BTD, ln2, eps)
    inner_BTF = linear(normed_BTD, w1)
    if w3 is not None:
        return x_BTD + linear(silu_gate(inner_BTF, linear(normed_BTD, w3)), w2)
    return x_BTD + linear(relu_squared(inner_BTF) if activation == "relu_squared" else silu(inner_BTF), w2)


def perplexity(losses: Float[Tensor, "*B"]) -> Float[Tensor, ""]:
    """Return exp(mean(losses)): the number of equally likely tokens that would be as hard to guess."""
    return losses.mean().exp()
