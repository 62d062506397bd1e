"""The parameters of a model, by name and shape, counted from its config alone."""

from collections import Counter
from math import prod
from typing import Literal

from homespun.model.config import ModelConfig

Part = Literal["embedding", "attention", "feed-forward", "norms", "head"]
"""What a parameter or a matrix multiply belongs to."""


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every trained tensor of `TransformerLM(config)` by its state-dict name; a tied head is the input table itself.

    With V = vocab_size, D = d_model, F = d_ff and N = num_layers, untied and pre-norm, the elements add up to

        2 V D + N (4 D**2 + M D F + 2 D) + D        M = 3 feed-forward matrices ("swiglu") or 2 ("silu")
    """
    width, inner = config.d_model, config.d_ff
    shapes: dict[str, tuple[int, ...]] = {"token_embeddings.weight": (config.vocab_size, width)}
    for layer in range(config.num_layers):
        block = f"layers.{layer}"
        for projection in ("q_proj", "k_proj", "v_proj", "output_proj"):
            shapes[f"{block}.attn.{projection}.weight"] = (width, width)
        shapes[f"{block}.ffn.w1.weight"] = (inner, width)
        shapes[f"{block}.ffn.w2.weight"] = (width, inner)
        if config.feed_forward == "swiglu":
            shapes[f"{block}.ffn.w3.weight"] = (inner, width)
        if config.norm != "none":
            shapes[f"{block}.ln1.weight"] = shapes[f"{block}.ln2.weight"] = (width,)
    if config.norm == "pre":
        shapes["ln_final.weight"] = (width,)
    if not config.tie_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, width)
    return shapes


def parameters_by_part(config: ModelConfig) -> dict[Part, int]:
    """Numbers of parameters, part by part."""
    counts: Counter[Part] = Counter()
    for name, shape in parameter_shapes(config).items():
        counts[_part_of(name)] += prod(shape)
    return dict(counts)


def count_parameters(config: ModelConfig) -> int:
    """All trained numbers of `TransformerLM(config)`, a tied table once."""
    return sum(parameters_by_part(config).values())


def _part_of(name: str) -> Part:
    if ".attn." in name:
        return "attention"
    if ".ffn." in name:
        return "feed-forward"
    if "ln" in name.rsplit(".", 2)[-2]:
        return "norms"
    return "head" if name.startswith("lm_head") else "embedding"
