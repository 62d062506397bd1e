"""What each kind of layer costs, by its config alone: parameters, matrix multiplies, activations. Without torch.

A layer that is added or switched states its cost here, once; `homespun.accounting` only sums. A test compares the
shapes with those of the built model for every combination of switches.

T tokens of the sequence; the other letters are those of `homespun.shapes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from homespun.config import check_at_least
from homespun.model.config import ModelConfig

Component = Literal["embedding", "attention", "feed-forward", "norms", "head"]
"""What a parameter or a matrix multiply belongs to."""


@dataclass(frozen=True)
class MatrixMultiply:
    """One kind of product, (m, k) times (k, n), and how often a forward pass over one sequence does it."""

    name: str
    component: Component
    times: int
    m: int
    k: int
    n: int

    @property
    def flops(self) -> int:
        """FLOPs of all its occurrences: m k n multiplications and as many additions each."""
        return 2 * self.m * self.k * self.n * self.times


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """The cost of one layer, and where the model has it."""

    component: Component
    modules: tuple[str, ...]
    """State-dict names of its occurrences."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Its parameters by their name within the layer."""

    multiplies: tuple[MatrixMultiply, ...] = ()
    """Matrix multiplies of a forward pass over one sequence, in order."""

    activations: Mapping[str, int] = field(default_factory=dict)
    """Numbers that it keeps of each sequence for the backward pass, where nothing is recomputed or fused."""


def list_layer_costs(config: ModelConfig, sequence_length: int) -> tuple[LayerCost, ...]:
    """Return the cost of every kind of layer in `TransformerLM(config)`, for sequences of `sequence_length` tokens."""
    check_at_least("sequence_length", sequence_length, 1)
    return (
        _embedding(config),
        _attention(config, sequence_length),
        _feed_forward(config, sequence_length),
        *_norms(config, sequence_length),
        *_residual_scales(config, sequence_length),
        *_value_embeddings(config, sequence_length),
        *_bigram_embeddings(config, sequence_length),
        _head(config, sequence_length),
    )


def _embedding(config: ModelConfig) -> LayerCost:
    # It multiplies nothing, and its output is the input of the first norm.
    shapes = {"weight": (config.vocab_size, config.d_model)}
    return LayerCost(component="embedding", modules=("token_embeddings",), shapes=shapes)


def _attention(config: ModelConfig, T: int) -> LayerCost:
    """Scores are counted for all T x T pairs although the mask discards half of them.

    That is the convention of the literature, and what an implementation that masks afterwards computes.
    """
    D, H, K = config.d_model, config.num_heads, config.d_head
    names = ("q_proj", "k_proj", "v_proj", "output_proj")
    shapes = {f"{name}.weight": (D, D) for name in names}
    activations = {
        "queries, keys, values": 3 * T * D,
        "scores and softmax": 2 * H * T**2,
        "weighted values, output": 2 * T * D,
    }
    if config.qk_norm:
        shapes |= {"q_norm.weight": (K,), "k_norm.weight": (K,)}
        activations["query and key norms"] = 2 * T * D
    return LayerCost(
        component="attention",
        modules=_in_every_block(config, "attn"),
        shapes=shapes,
        multiplies=(
            MatrixMultiply("queries, keys, values", "attention", 3, T, D, D),
            MatrixMultiply("scores: queries x keys", "attention", H, T, K, T),
            MatrixMultiply("weights x values", "attention", H, T, T, K),
            MatrixMultiply("attention output", "attention", 1, T, D, D),
        ),
        activations=activations,
    )


def _feed_forward(config: ModelConfig, T: int) -> LayerCost:
    D, F = config.d_model, config.d_ff
    # Outputs of width F that are kept: W1 x, silu, W3 x and their product; or W1 x and what is made of it.
    inputs, kept = (("w1", "w3"), 4) if config.feed_forward == "swiglu" else (("w1",), 2)
    name = f"feed-forward in ({', '.join(inputs).upper()})"
    return LayerCost(
        component="feed-forward",
        modules=_in_every_block(config, "ffn"),
        shapes={f"{matrix}.weight": (F, D) for matrix in inputs} | {"w2.weight": (D, F)},
        multiplies=(
            MatrixMultiply(name, "feed-forward", len(inputs), T, D, F),
            MatrixMultiply("feed-forward out (W2)", "feed-forward", 1, T, F, D),
        ),
        activations={"feed-forward": kept * T * F + T * D},
    )


def _norms(config: ModelConfig, T: int) -> tuple[LayerCost, LayerCost]:
    """The two norms of a block, and the final norm of a pre-norm model."""
    in_blocks = _in_every_block(config, "ln1", "ln2") if config.norm != "none" else ()
    final = ("ln_final",) if config.norm == "pre" else ()
    T_times_D, shapes = T * config.d_model, {"weight": (config.d_model,)}
    return (
        LayerCost(component="norms", modules=in_blocks, shapes=shapes, activations={"norms": T_times_D}),
        LayerCost(component="norms", modules=final, shapes=shapes, activations={"final norm": T_times_D}),
    )


def _residual_scales(config: ModelConfig, T: int) -> tuple[LayerCost, ...]:
    """Two scalars a block, counted with the gains of the norms; the normalized embedding is kept once."""
    if not config.residual_scales:
        return ()
    modules = tuple(f"embedding_residuals.{layer}" for layer in range(config.num_layers))
    T_times_D = T * config.d_model
    return (
        LayerCost(component="norms", modules=("embedding",), activations={"normalized embedding": T_times_D}),
        LayerCost(
            component="norms", modules=modules, shapes={"weight": (2,)}, activations={"residual scales": T_times_D}
        ),
    )


def _value_embeddings(config: ModelConfig, T: int) -> tuple[LayerCost, ...]:
    """A table for each layer that has one, which multiplies nothing, and the gates by which its rows are added."""
    layers = config.value_embedding_layers
    if not layers:
        return ()
    V, D, H, C = config.vocab_size, config.d_model, config.num_heads, config.value_gate_channels
    return (
        LayerCost(
            component="embedding",
            modules=tuple(f"value_embeddings.{layer}" for layer in layers),
            shapes={"weight": (V, D)},
            activations={"value embeddings": T * D},
        ),
        LayerCost(
            component="attention",
            modules=tuple(f"layers.{layer}.attn.value_gate" for layer in layers),
            shapes={"weight": (H, C)},
            multiplies=(MatrixMultiply("value gates", "attention", 1, T, C, H),),
            activations={"value gates": T * H + T * D},
        ),
    )


def _bigram_embeddings(config: ModelConfig, T: int) -> tuple[LayerCost, ...]:
    """A table, which multiplies nothing; its rows and their sum with the token's are kept."""
    if not config.bigram_buckets:
        return ()
    shapes, activations = {"weight": (config.bigram_buckets, config.d_model)}, {"bigram rows": 2 * T * config.d_model}
    modules = ("bigram_embeddings",)
    return (LayerCost(component="embedding", modules=modules, shapes=shapes, activations=activations),)


def _head(config: ModelConfig, T: int) -> LayerCost:
    V, D = config.vocab_size, config.d_model
    return LayerCost(
        component="head",
        modules=("lm_head",),
        shapes={} if config.tie_embeddings else {"weight": (V, D)},
        multiplies=(MatrixMultiply("head", "head", 1, T, D, V),),
        activations={"logits": (2 if config.logit_softcap else 1) * T * V, "losses": T},
    )


def _in_every_block(config: ModelConfig, *names: str) -> tuple[str, ...]:
    return tuple(f"layers.{layer}.{name}" for layer in range(config.num_layers) for name in names)
