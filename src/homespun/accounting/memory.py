"""Peak memory of training with AdamW: what is there for every batch size, and what each sequence adds.

Counted as in the textbook exercise: every number takes the same width, nothing is recomputed or fused, and each
operation of the forward pass keeps its output for the backward pass.
"""

from dataclasses import dataclass

from homespun.accounting.parameters import count_parameters
from homespun.config import check_at_least
from homespun.model.config import ModelConfig

BYTES_PER_FLOAT32 = 4


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes of one training step, as `per_sequence_bytes * batch_size + fixed_bytes`."""

    fixed: dict[str, int]
    """Bytes by part, whatever the batch size: parameters, gradients, optimizer state."""

    activations: dict[str, int]
    """Bytes of activations that each sequence adds, by part."""

    @property
    def fixed_bytes(self) -> int:
        return sum(self.fixed.values())

    @property
    def per_sequence_bytes(self) -> int:
        return sum(self.activations.values())

    def bytes_at(self, batch_size: int) -> int:
        """Peak bytes with `batch_size` sequences in one pass."""
        check_at_least("batch_size", batch_size, 0)
        return self.fixed_bytes + self.per_sequence_bytes * batch_size

    def max_batch_size(self, available_bytes: int) -> int:
        """The most sequences whose pass fits; 0 where not even one does."""
        return max(0, (available_bytes - self.fixed_bytes) // self.per_sequence_bytes)


def training_memory(config: ModelConfig, sequence_length: int) -> TrainingMemory:
    """Memory of a float32 training step with AdamW on sequences of T tokens.

        fixed       4 P parameters + 4 P gradients + 8 P moments
        a sequence  4 (N (8 T D + 2 H T**2 + a T F) + T D + T V + T)

    In a block the norms keep 2 T D, queries, keys and values 3 T D, scores and their softmax 2 H T**2, the weighted
    values, the output projection and the feed-forward output T D each. Of the feed-forward's inner width a = 2
    outputs are kept with two matrices (W1 x, silu), a = 4 with three (W1 x, silu, W3 x, their product). With two
    matrices and F = 4 D this is N (16 T D + 2 H T**2) + T D + T V + T numbers.
    """
    check_at_least("sequence_length", sequence_length, 1)
    length, width = sequence_length, config.d_model
    stream = length * width
    norms_per_block = 0 if config.norm == "none" else 2
    final_norms = 1 if config.norm == "pre" else 0
    inner_outputs = 4 if config.feed_forward == "swiglu" else 2
    numbers = {
        "norms": config.num_layers * norms_per_block * stream,
        "queries, keys, values": config.num_layers * 3 * stream,
        "scores and softmax": config.num_layers * 2 * config.num_heads * length**2,
        "weighted values, output": config.num_layers * 2 * stream,
        "feed-forward": config.num_layers * (inner_outputs * length * config.d_ff + stream),
        "final norm": final_norms * stream,
        "logits": length * config.vocab_size,
        "losses": length,
    }
    parameter_bytes = BYTES_PER_FLOAT32 * count_parameters(config)
    return TrainingMemory(
        fixed={
            "parameters": parameter_bytes,
            "gradients": parameter_bytes,
            "AdamW's two moments": 2 * parameter_bytes,
        },
        activations={name: BYTES_PER_FLOAT32 * count for name, count in numbers.items()},
    )
