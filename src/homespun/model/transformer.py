"""The language model: token ids in, logits of the next token out."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from homespun.errors import DataError
from homespun.model.attention import KeyValueStore, build_attention
from homespun.model.config import ModelConfig
from homespun.model.head import Head, TiedHead
from homespun.model.layers import Embedding, Identity, build_feed_forward, build_norm, linear_std
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
    ) -> HiddenBTD:
        if self.norms_after_sum:
            x = self.ln1(x + self.attn(x, token_positions, cache))
            return self.ln2(x + self.ffn(x))
        x = x + self.attn(self.ln1(x), token_positions, cache)
        return x + self.ffn(self.ln2(x))


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
        self.ln_final = build_norm(config, device, dtype) if config.norm == "pre" else Identity()
        self.lm_head = TiedHead(self.token_embeddings) if tied else Head(d_model, vocab_size, device, dtype)

    def forward(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> LogitsBTV:
        return self.lm_head(self.hidden(token_ids_BT, token_positions, cache))

    def hidden(
        self,
        token_ids_BT: TokensBT,
        token_positions: Int[Tensor, "*#B T"] | None = None,
        cache: KeyValueStore | None = None,
    ) -> HiddenBTD:
        """Return the last hidden states, from which `lm_head` computes logits and losses.

        Args:
            token_ids_BT: At most `context_length` positions.
            token_positions: Positions of the tokens, each less than `context_length`; by default 0, 1, 2, ...
            cache: Holds keys and values of the positions before these; the new ones are added to it.

        Raises:
            DataError: there are more tokens than `context_length`, or they are not a matrix of integers.
        """
        self._check(token_ids_BT)
        x_BTD = self.token_embeddings(token_ids_BT)
        for layer in self.layers:
            x_BTD = layer(x_BTD, token_positions, cache)
        return self.ln_final(x_BTD)

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
    """The model as training calls it: compilation, sharding and hooks wrap this module and see every forward pass."""

    def __init__(self, model: TransformerLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, token_ids_BT: TokensBT, targets_BT: TokensBT) -> Float[Tensor, ""]:
        """Return the mean negative log-likelihood of `targets_BT`, in nats."""
        return self.model.lm_head.loss(self.model.hidden(token_ids_BT), targets_BT)
