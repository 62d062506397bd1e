"""The language model: token ids in, logits of the next token out."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.errors import DataError
from homespun.model.attention import CausalMultiHeadSelfAttention, KeyValueStore
from homespun.model.config import ModelConfig
from homespun.model.init import linear_std
from homespun.model.kernels.linear_cross_entropy import linear_cross_entropy
from homespun.model.layers import Embedding, Identity, Linear, RMSNorm, SiLUFeedForward, SwiGLU
from homespun.model.loss import cross_entropy
from homespun.model.rope import RotaryPositionalEmbedding
from homespun.shapes import HiddenBTD, LogitsBTV, TokensBT


class TransformerBlock(nn.Module):
    """Positions exchange what they know (attention), then each thinks on its own (feed-forward)."""

    def __init__(
        self,
        config: ModelConfig,
        layer_index: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        d_model, rope = config.d_model, None
        if config.positions == "rope":
            rope = RotaryPositionalEmbedding(config.rope_theta, config.d_head, config.context_length, device)
        feed_forward = {"swiglu": SwiGLU, "silu": SiLUFeedForward}[config.feed_forward]
        self.norms_after_sum = config.norm == "post"
        self.ln1 = _norm(config, device, dtype)
        self.attn = CausalMultiHeadSelfAttention(
            d_model, config.num_heads, rope, device, dtype, layer_index=layer_index
        )
        self.ln2 = _norm(config, device, dtype)
        self.ffn = feed_forward(d_model, config.d_ff, device, dtype)

    def forward(
        self,
        x: HiddenBTD,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> HiddenBTD:
        if self.norms_after_sum:
            x = self.ln1(x + self.attn(x, token_positions, cache))
            return self.ln2(x + self.ffn(x))
        x = x + self.attn(self.ln1(x), token_positions, cache)
        return x + self.ffn(self.ln2(x))


class TransformerLM(nn.Module):
    """A decoder-only Transformer: embedding, blocks, final norm, output head.

    With `norm: post` every block already ends in a norm, so there is no final one; with `norm: none` there is no norm
    at all. A tied model has no `lm_head`: its logits are inner products with the rows of the input table, which is
    then drawn as an output head is.
    """

    def __init__(
        self,
        config: ModelConfig,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        vocab_size, d_model = config.vocab_size, config.d_model
        table_std = linear_std(d_model, vocab_size) if config.tie_embeddings else 1.0
        self.token_embeddings = Embedding(vocab_size, d_model, device, dtype, std=table_std)
        self.layers = nn.ModuleList(TransformerBlock(config, i, device, dtype) for i in range(config.num_layers))
        self.ln_final = _norm(config, device, dtype) if config.norm == "pre" else Identity()
        if not config.tie_embeddings:
            self.lm_head = Linear(d_model, vocab_size, device, dtype)

    def forward(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> LogitsBTV:
        return self.hidden(token_ids_BT, token_positions, cache) @ self.head_weight.T

    def loss(self, token_ids_BT: TokensBT, targets_BT: TokensBT) -> Float[Tensor, ""]:
        """`cross_entropy` of the logits, which on the CPU are never held all at once."""
        hidden_BTD = self.hidden(token_ids_BT)
        if hidden_BTD.is_cpu and not torch.compiler.is_compiling():
            return linear_cross_entropy(hidden_BTD.flatten(0, 1), self.head_weight, targets_BT.flatten())
        return cross_entropy(hidden_BTD @ self.head_weight.T, targets_BT)

    def hidden(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> HiddenBTD:
        """The last hidden states, which the head turns into logits.

        Args:
            token_ids_BT: At most `context_length` positions.
            token_positions: Where the tokens stand, each less than `context_length`; by default 0, 1, 2, ...
            cache: Holds keys and values of the positions before these; the new ones are added to it.

        Raises:
            DataError: there are more tokens than `context_length`.
        """
        if token_ids_BT.shape[-1] > self.config.context_length:
            raise DataError(
                f"the model was given {token_ids_BT.shape[-1]:,} tokens, but model.context_length = "
                f"{self.config.context_length:,}; give it at most the last {self.config.context_length:,}"
            )
        x_BTD = self.token_embeddings(token_ids_BT)
        for layer in self.layers:
            x_BTD = layer(x_BTD, token_positions, cache)
        return self.ln_final(x_BTD)

    @property
    def head_weight(self) -> Tensor:
        """The matrix of shape (V, D) whose rows score the vocabulary."""
        return self.token_embeddings.weight if self.config.tie_embeddings else self.lm_head.weight


def _norm(config: ModelConfig, device: torch.device | str | None, dtype: torch.dtype | None) -> nn.Module:
    return Identity() if config.norm == "none" else RMSNorm(config.d_model, config.norm_eps, device, dtype)
