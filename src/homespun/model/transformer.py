"""The language model: token ids in, logits of the next token out."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.errors import DataError
from homespun.model import ops
from homespun.model.attention import CausalMultiHeadSelfAttention, KeyValueStore, build_attention
from homespun.model.config import ModelConfig
from homespun.model.head import Head, TiedHead
from homespun.model.layers import (
    BigramEmbedding,
    Embedding,
    EmbeddingResidual,
    Identity,
    Linear,
    ReLUSquaredFeedForward,
    RMSNorm,
    SiLUFeedForward,
    SwiGLU,
    ValueGate,
    build_feed_forward,
    build_norm,
    linear_std,
)
from homespun.model.ops.reference import Activation, Reduction
from homespun.model.rope import RotaryPositionalEmbedding, build_rope
from homespun.shapes import Device, Dtype, HiddenBTD, LogitsBTV, TokensBT


class TransformerBlock(nn.Module):
    """Attention between positions, then a feed-forward network at each; both add to the residual stream.

    Args:
        rope: The rotary embedding that the blocks of a model share; None: the block builds its own.
    """

    def __init__(
        self,
        config: ModelConfig,
        layer_index: int = 0,
        device: Device = None,
        dtype: Dtype = None,
        *,
        rope: RotaryPositionalEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.norms_after_sum = config.norm == "post"
        self.ln1 = build_norm(config, device, dtype)
        rope = rope or build_rope(config, device)
        self.attn = build_attention(config, layer_index, rope, device, dtype)
        self.ln2 = build_norm(config, device, dtype)
        self.ffn = build_feed_forward(config, device, dtype)

    def forward(
        self,
        x: HiddenBTD,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
        value_embedding: HiddenBTD | None = None,
    ) -> HiddenBTD:
        if token_positions is None and cache is None and ops.is_fused("block", x) and self._is_standard():
            return self._fused(x, value_embedding)
        if self.norms_after_sum:
            x = self.ln1(x + self.attn(x, token_positions, cache, value_embedding))
            return self.ln2(x + self.ffn(x))
        x = x + self.attn(self.ln1(x), token_positions, cache, value_embedding)
        return x + self.ffn(self.ln2(x))

    def _is_standard(self) -> bool:
        """Whether one operation is what the layers would compute: none was replaced, and nobody listens to one."""
        attn, ffn, ln1, ln2 = self.attn, self.ffn, self.ln1, self.ln2
        projections, head_norms = (attn.q_proj, attn.k_proj, attn.v_proj, attn.output_proj), (attn.q_norm, attn.k_norm)
        normed = [norm for norm in (ln1, ln2, *head_norms) if type(norm) is RMSNorm]
        gates = [] if attn.value_gate is None else [attn.value_gate]
        weighted = (*projections, *normed, *gates, *ffn.children())
        return (
            not self.norms_after_sum
            and all(type(gate) is ValueGate for gate in gates)
            and (type(ln1), type(ln2), type(attn)) == (RMSNorm, RMSNorm, CausalMultiHeadSelfAttention)
            and type(ffn) in _ACTIVATIONS
            and set(map(type, (*projections, *ffn.children()))) == {Linear}
            and tuple(map(type, head_norms)) in ((Identity, Identity), (RMSNorm, RMSNorm))
            and len({norm.eps for norm in normed}) == 1
            and all(layer.weight.requires_grad for layer in weighted)
            and not any(map(_has_hooks, (attn, ffn, *head_norms, *weighted)))
        )

    def _fused(self, x: HiddenBTD, value_embedding: HiddenBTD | None) -> HiddenBTD:
        attn, ln1, ln2, ffn, rope = self.attn, self.ln1, self.ln2, self.ffn, self.attn.rope
        assert isinstance(ln1, RMSNorm), "a standard block"
        assert isinstance(ln2, RMSNorm), "a standard block"
        cos, sin = (None, None) if rope is None else (rope.cos_Tk[: x.shape[1]], rope.sin_Tk[: x.shape[1]])
        projections = (attn.q_proj.weight, attn.k_proj.weight, attn.v_proj.weight, attn.output_proj.weight)
        q_norm, k_norm = (norm.weight if isinstance(norm, RMSNorm) else None for norm in (attn.q_norm, attn.k_norm))
        network = (ffn.w1.weight, ffn.w3.weight if isinstance(ffn, SwiGLU) else None, ffn.w2.weight)
        parameters = (ln1.weight, *projections, q_norm, k_norm, ln2.weight, *network)
        gate = attn.value_gate
        values = (None, None) if gate is None or value_embedding is None else (gate.weight, value_embedding)
        return ops.block(x, *parameters, cos, sin, attn.num_heads, ln1.eps, _ACTIVATIONS[type(ffn)], *values)


def _has_hooks(module: nn.Module) -> bool:
    # Private, but there is no public way to ask.
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


_ACTIVATIONS: dict[type[nn.Module], Activation] = {
    SwiGLU: "silu",
    SiLUFeedForward: "silu",
    ReLUSquaredFeedForward: "relu_squared",
}
"""The networks of standard blocks, and what their inner channels go through."""


class TransformerLM(nn.Module):
    """A decoder-only Transformer: embedding, blocks, final norm, output head.

    With `norm: post` every block already ends in a norm, so there is no final one; with `norm: none` there is no norm
    at all. The head of a tied model has no weights of its own: its logits are inner products with the rows of the input
    table, which is then initialized as an output head is.
    """

    def __init__(self, config: ModelConfig, device: Device = None, dtype: Dtype = None) -> None:
        super().__init__()
        self.config = config
        vocab_size, d_model, tied = config.vocab_size, config.d_model, config.tie_embeddings
        table_std = linear_std(d_model, vocab_size) if tied else 1.0
        self.token_embeddings = Embedding(vocab_size, d_model, device, dtype, std=table_std)
        rope = build_rope(config, device)
        self.layers = nn.ModuleList(
            TransformerBlock(config, i, device, dtype, rope=rope) for i in range(config.num_layers)
        )
        scaled = config.num_layers if config.residual_scales else 0
        self.embedding_residuals = nn.ModuleList(EmbeddingResidual(device, dtype) for _ in range(scaled))
        self.ln_final = build_norm(config, device, dtype) if config.norm == "pre" else Identity()
        softcap = config.logit_softcap
        self.lm_head = (
            TiedHead(self.token_embeddings, softcap)
            if tied
            else Head(d_model, vocab_size, device, dtype, softcap=softcap)
        )
        # Last, so that what is drawn before stays the same. Begun as values are that a Linear makes of a unit input.
        self.value_embeddings = nn.ModuleDict(
            {
                str(layer): Embedding(vocab_size, d_model, device, dtype, std=linear_std(d_model, d_model))
                for layer in config.value_embedding_layers
            }
        )
        self.bigram_embeddings = (
            BigramEmbedding(config.bigram_buckets, d_model, device, dtype) if config.bigram_buckets else None
        )

    def forward(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
        previous_ids: Int[Tensor, " B"] | None = None,
    ) -> LogitsBTV:
        return self.lm_head(self.hidden(token_ids_BT, token_positions, cache, previous_ids))

    def hidden(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
        previous_ids: Int[Tensor, " B"] | None = None,
    ) -> HiddenBTD:
        """Return the last hidden states, from which `lm_head` computes logits and losses.

        Args:
            token_ids_BT: At most `context_length` positions.
            token_positions: Positions of the tokens, each less than `context_length`; by default 0, 1, 2, ...
            cache: Holds keys and values of the positions before these; the new ones are added to it.
            previous_ids: The id before the first of each sequence, -1 for none; a model with bigram embeddings needs
                them next to a cache. None: the sequences begin here.

        Raises:
            DataError: there are more tokens than `context_length`, or they are not a matrix of integers; or ids before
                the cached model's tokens are missing.
        """
        self._check(token_ids_BT)
        if self.bigram_embeddings is not None and cache is not None and previous_ids is None:
            raise DataError(
                f"previous_ids is None: with model.bigram_buckets = {self.config.bigram_buckets:,} and a cache, the "
                "model needs the id before each sequence's first token, -1 where there is none"
            )
        embedding_BTD = x_BTD = self._embed(token_ids_BT, previous_ids)
        value_embeddings = {layer: table(token_ids_BT) for layer, table in self.value_embeddings.items()}
        for i, layer in enumerate(self.layers):
            if self.config.residual_scales:
                x_BTD = self.embedding_residuals[i](x_BTD, embedding_BTD)
            x_BTD = layer(x_BTD, token_positions, cache, value_embeddings.get(str(i)))
        return self.ln_final(x_BTD)

    def _embed(self, token_ids_BT: TokensBT, previous_ids_B: Int[Tensor, " B"] | None) -> HiddenBTD:
        x_BTD = self.token_embeddings(token_ids_BT)
        if self.bigram_embeddings is not None:
            x_BTD = x_BTD + self.bigram_embeddings(token_ids_BT, previous_ids_B)
        if self.config.residual_scales:
            x_BTD = ops.rms_norm(x_BTD, x_BTD.new_ones(self.config.d_model), self.config.norm_eps)
        return x_BTD

    def _check(self, token_ids: Tensor) -> None:
        if token_ids.ndim != 2:
            raise DataError(
                f"token_ids has shape {tuple(token_ids.shape)}; the model takes (sequences, positions), "
                "and one sequence as token_ids[None]"
            )
        if token_ids.dtype not in (torch.int64, torch.int32):
            raise DataError(f"token_ids is {token_ids.dtype}; token ids are torch.int64 (or int32): token_ids.long()")
        if token_ids.shape[1] > self.config.context_length:
            raise DataError(
                f"the model was given {token_ids.shape[1]:,} tokens, but model.context_length = "
                f"{self.config.context_length:,}; give it at most the last {self.config.context_length:,}"
            )


class TrainingLoss(nn.Module):
    """The model as training calls it: compilation, sharding and hooks wrap this module and see every forward pass.

    Args:
        reduction: Over the tokens: "mean", or "sum", for a batch that is divided.
    """

    def __init__(self, model: TransformerLM, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.model = model
        self.reduction: Reduction = reduction

    def forward(self, token_ids_BT: TokensBT, targets_BT: TokensBT) -> Float[Tensor, ""]:
        """Return the negative log-likelihood of `targets_BT`, in nats: the mean over tokens, or the sum."""
        return self.model.lm_head.loss(self.model.hidden(token_ids_BT), targets_BT, self.reduction)
