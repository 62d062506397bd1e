"""Every matrix multiply of a forward pass and its FLOPs; what a training step costs by it.

Multiplying an (m, k) by a (k, n) matrix takes m k n multiplications and as many additions: 2 m k n FLOPs. Softmax,
norms, activations and RoPE are left out, as everywhere in the literature: they are below a percent.
"""

from dataclasses import dataclass

from homespun.accounting.parameters import Part, count_parameters
from homespun.config import check_at_least
from homespun.model.config import ModelConfig

BACKWARD_PER_FORWARD = 2
"""The backward pass multiplies each matrix twice: for the gradient of its input and of its weight."""

ADAMW_UPDATE_FLOPS = {
    "decay: p * (1 - lr * weight_decay)": 1,
    "first moment: beta1 * m + (1 - beta1) * g": 3,
    "second moment: beta2 * v + (1 - beta2) * g * g": 4,
    "denominator: sqrt(v) / sqrt(1 - beta2**t) + eps": 3,
    "step: p - lr / (1 - beta1**t) * m / denominator": 3,
}
"""What AdamW does to each parameter; factors that are the same for all parameters are computed once and not counted."""


@dataclass(frozen=True, kw_only=True)
class MatrixMultiply:
    """One kind of product, (m, k) times (k, n), and how often a forward pass over one sequence does it."""

    name: str
    part: Part
    times: int
    m: int
    k: int
    n: int

    @property
    def flops(self) -> int:
        """FLOPs of all its occurrences."""
        return 2 * self.m * self.k * self.n * self.times


def list_matrix_multiplies(config: ModelConfig, sequence_length: int) -> tuple[MatrixMultiply, ...]:
    """Every matrix multiply of a forward pass over one sequence, in the order of the pass.

    Scores are counted for all T x T pairs although the causal mask throws half of them away: the convention of the
    literature, and what an implementation that masks afterwards really does.

    Args:
        config: The model.
        sequence_length: T, in tokens; may exceed the model's context, to ask what a longer one would cost.
    """
    check_at_least("sequence_length", sequence_length, 1)
    length, width, head, inner = sequence_length, config.d_model, config.d_head, config.d_ff
    layers, heads = config.num_layers, config.num_layers * config.num_heads
    inputs = ("W1", "W3") if config.feed_forward == "swiglu" else ("W1",)
    feed_forward_in = f"feed-forward in ({', '.join(inputs)})"
    return (
        _product("queries, keys, values", "attention", 3 * layers, length, width, width),
        _product("scores: queries x keys", "attention", heads, length, head, length),
        _product("weights x values", "attention", heads, length, length, head),
        _product("attention output", "attention", layers, length, width, width),
        _product(feed_forward_in, "feed-forward", len(inputs) * layers, length, width, inner),
        _product("feed-forward out (W2)", "feed-forward", layers, length, inner, width),
        _product("head", "head", 1, length, width, config.vocab_size),
    )


def forward_flops(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """FLOPs of the matrix multiplies of one forward pass over `batch_size` sequences."""
    return batch_size * sum(product.flops for product in list_matrix_multiplies(config, sequence_length))


def forward_flops_by_part(config: ModelConfig, sequence_length: int) -> dict[Part, int]:
    """`forward_flops` of one sequence, part by part."""
    totals: dict[Part, int] = {}
    for product in list_matrix_multiplies(config, sequence_length):
        totals[product.part] = totals.get(product.part, 0) + product.flops
    return totals


def training_flops(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """FLOPs of forward and backward: exactly three times the forward matrix multiplies; without the update."""
    return (1 + BACKWARD_PER_FORWARD) * forward_flops(config, sequence_length, batch_size)


def training_flops_by_rule(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """The rule of thumb 6 B T P: two FLOPs a token and parameter forward, four backward.

    It counts the input table, which multiplies nothing, and leaves out the scores and weighted values, which grow
    with the square of T: too much for small models, too little for long contexts.

    Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1.
    """
    return 6 * batch_size * sequence_length * count_parameters(config)


def update_flops(config: ModelConfig) -> int:
    """FLOPs of one AdamW update of every parameter, by `ADAMW_UPDATE_FLOPS`."""
    return sum(ADAMW_UPDATE_FLOPS.values()) * count_parameters(config)


def _product(name: str, part: Part, times: int, m: int, k: int, n: int) -> MatrixMultiply:
    return MatrixMultiply(name=name, part=part, times=times, m=m, k=k, n=n)
