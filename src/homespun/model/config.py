"""The shape of a model; torch-free, so that accounting and the command line can read it without loading a layer."""

from dataclasses import dataclass
from typing import Literal, get_args

from homespun.config import check_at_least, check_choice, check_positive
from homespun.errors import ConfigError

Norm = Literal["pre", "post", "none"]
Positions = Literal["rope", "none"]
FeedForward = Literal["swiglu", "silu", "relu2"]

VALUE_GATE_CHANNELS = 12
"""As nanochat has: a gate needs few, and its matrix is then next to nothing."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that fixes a model's shape, and nothing about its training."""

    vocab_size: int
    """Token ids the model knows, 0 ... vocab_size - 1."""

    context_length: int
    """The most positions a sequence may have, in tokens."""

    d_model: int
    """Width of the residual stream, in channels; a multiple of `num_heads`."""

    num_layers: int
    """Transformer blocks."""

    num_heads: int
    """Attention heads. Each is d_model / num_heads wide, which RoPE needs even."""

    d_ff: int
    """Inner width of the feed-forward network: about 8/3 d_model for "swiglu", 4 d_model for the others."""

    rope_theta: float = 10_000.0
    """Base of RoPE's wavelengths, in positions / (2 pi)."""

    norm: Norm = "pre"
    """Where RMSNorm is applied: before each sublayer, after each residual sum, or nowhere."""

    norm_eps: float = 1e-5
    """Added to the mean square inside RMSNorm."""

    positions: Positions = "rope"
    """How positions enter: rotary embedding of queries and keys, or not at all."""

    qk_norm: bool = False
    """Whether RMSNorm, with a gain, rescales each head's queries and keys before RoPE, which bounds their products."""

    feed_forward: FeedForward = "swiglu"
    """Three matrices with a gate, or two with SiLU or ReLU^2 between them."""

    zero_init: bool = False
    """Whether the last matrices of attention and feed-forward networks begin at zero, and so every block as nothing."""

    residual_scales: bool = False
    """Whether learned scalars weigh the residual stream and the normalized embedding in the input of each block."""

    value_embeddings: int = 0
    """Layers whose values have an embedding of the token added, from a table of their own: every other one, from the
    last back; at most half of the layers, rounded up."""

    bigram_buckets: int = 0
    """Rows of a table that a hash of the last two ids picks from, added to the embedding; 0: none."""

    tie_embeddings: bool = False
    """Whether the head shares the input table's weights."""

    logit_softcap: float | None = None
    """Bound c of the logits, c tanh(logits / c); 15 to 30 is usual. null: none."""

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "d_model", "num_layers", "num_heads", "d_ff"):
            check_at_least(f"model.{name}", getattr(self, name), 1)
        for name in ("rope_theta", "norm_eps"):
            check_positive(f"model.{name}", getattr(self, name))
        for name in ("value_embeddings", "bigram_buckets"):
            check_at_least(f"model.{name}", getattr(self, name), 0)
        if self.value_embeddings > (self.num_layers + 1) // 2:
            raise ConfigError(
                f"model.value_embeddings = {self.value_embeddings} must be at most {(self.num_layers + 1) // 2}: "
                f"every other one of model.num_layers = {self.num_layers}"
            )
        if self.logit_softcap is not None:
            check_positive("model.logit_softcap", self.logit_softcap)
        check_choice("model.norm", self.norm, get_args(Norm))
        check_choice("model.positions", self.positions, get_args(Positions))
        check_choice("model.feed_forward", self.feed_forward, get_args(FeedForward))
        if self.d_model % self.num_heads:
            lower = self.d_model // self.num_heads * self.num_heads
            nearest = f"{lower} and {lower + self.num_heads}" if lower else str(self.num_heads)
            raise ConfigError(
                f"model.d_model = {self.d_model} is not a multiple of model.num_heads = {self.num_heads}; "
                f"the nearest widths are {nearest}"
            )
        if self.positions == "rope" and self.d_head % 2:
            raise ConfigError(
                f"model.d_model / model.num_heads = {self.d_head} is odd, and RoPE rotates channel pairs; "
                f"choose widths that make it even, or model.positions: none"
            )

    @property
    def d_head(self) -> int:
        """Width of one attention head, in channels."""
        return self.d_model // self.num_heads

    @property
    def value_embedding_layers(self) -> tuple[int, ...]:
        """Layers that have a value embedding, ascending: the last, the one before the last but one, and so on."""
        last = self.num_layers - 1
        return tuple(range(last - 2 * (self.value_embeddings - 1), last + 1, 2)) if self.value_embeddings else ()

    @property
    def value_gate_channels(self) -> int:
        """Channels of a layer's input that the gate of its value embedding sees."""
        return min(VALUE_GATE_CHANNELS, self.d_model)
