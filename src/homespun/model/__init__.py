"""The Transformer language model: its layers, its initialisation, its loss."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homespun.model.attention import CausalMultiHeadSelfAttention as CausalMultiHeadSelfAttention
    from homespun.model.attention import KeyValueStore as KeyValueStore
    from homespun.model.attention import scaled_dot_product_attention as scaled_dot_product_attention
    from homespun.model.config import ModelConfig as ModelConfig
    from homespun.model.init import initialise as initialise
    from homespun.model.layers import Embedding as Embedding
    from homespun.model.layers import Linear as Linear
    from homespun.model.layers import RMSNorm as RMSNorm
    from homespun.model.layers import SwiGLU as SwiGLU
    from homespun.model.layers import silu as silu
    from homespun.model.layers import softmax as softmax
    from homespun.model.loss import cross_entropy as cross_entropy
    from homespun.model.loss import perplexity as perplexity
    from homespun.model.rope import RotaryPositionalEmbedding as RotaryPositionalEmbedding
    from homespun.model.transformer import TransformerBlock as TransformerBlock
    from homespun.model.transformer import TransformerLM as TransformerLM

_HOMES = {
    "CausalMultiHeadSelfAttention": "attention",
    "Embedding": "layers",
    "KeyValueStore": "attention",
    "Linear": "layers",
    "ModelConfig": "config",
    "RMSNorm": "layers",
    "RotaryPositionalEmbedding": "rope",
    "SwiGLU": "layers",
    "TransformerBlock": "transformer",
    "TransformerLM": "transformer",
    "cross_entropy": "loss",
    "initialise": "init",
    "perplexity": "loss",
    "scaled_dot_product_attention": "attention",
    "silu": "layers",
    "softmax": "layers",
}
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll] # the names are _HOMES' keys, written once


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
