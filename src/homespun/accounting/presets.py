"""Published models by name."""

from homespun.config import check_choice
from homespun.model.config import FeedForward, ModelConfig

# num_layers, d_model, num_heads. Source: Radford et al. 2019, table 2; heads from the released checkpoints.
_GPT2 = {
    "gpt2": (12, 768, 12),
    "gpt2-small": (12, 768, 12),
    "gpt2-medium": (24, 1024, 16),
    "gpt2-large": (36, 1280, 20),
    "gpt2-xl": (48, 1600, 25),
}
PRESETS = tuple(_GPT2)


def preset(name: str, *, context_length: int = 1024, feed_forward: FeedForward = "swiglu") -> ModelConfig:
    """Return a model of GPT-2's dimensions in this package's architecture: RMSNorm, RoPE, no biases, untied head.

    Args:
        name: One of `PRESETS`.
        context_length: GPT-2's own is the default.
        feed_forward: Three matrices ("swiglu") or GPT-2's two ("silu"); the inner width is 4 d_model in both cases.

    Raises:
        ConfigError: no preset has that name.
    """
    check_choice("model", name, PRESETS)
    num_layers, d_model, num_heads = _GPT2[name]
    return ModelConfig(
        vocab_size=50_257,
        context_length=context_length,
        d_model=d_model,
        num_layers=num_layers,
        num_heads=num_heads,
        d_ff=4 * d_model,
        feed_forward=feed_forward,
    )


def published_parameters(name: str) -> int:
    """Return the parameters of the released model of that name, which `preset` differs from.

    GPT-2 has biases, LayerNorm with a gain and a bias, a table of 1,024 learned positions, and a tied head:
    V D + 1024 D + N (12 D**2 + 13 D) + 2 D.
    """
    check_choice("model", name, PRESETS)
    num_layers, width, _ = _GPT2[name]
    return (50_257 + 1_024) * width + num_layers * (12 * width**2 + 13 * width) + 2 * width
