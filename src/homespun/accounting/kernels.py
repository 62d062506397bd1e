"""The memory of a training step on the CPU's kernels, which keep less than the textbook's step does."""

from math import prod

from homespun.accounting.totals import BYTES_PER_FLOAT32, parameter_shapes
from homespun.model.config import ModelConfig

_LOSS_TOKENS, _LOSS_GROUPS = 256, 8
"""Tokens whose logits are computed at a time, and parts in which their gradients are: `crates/kernels/src/loss.rs`."""

_BLOCK_ROWS = 1024
"""Rows that go back through a block at a time, or else one sequence: `crates/kernels/src/block/backward.rs`."""


_PACKED_BYTES = {"bfloat16": 2}
"""Of a number in a packed matrix; others have four."""


def is_fused(config: ModelConfig) -> bool:
    """Whether kernels compute the model's blocks in one call, and keep what `kernel_activations` counts."""
    return config.norm == "pre"


def kernel_activations(config: ModelConfig, num_rows: int) -> int:
    """Return the bytes of activations at the peak, for R = `num_rows` positions of a micro-batch.

        4 (N R (2 + H + 6 D + 2 F) + 3 R D)

    Of each of the N blocks: what its norms and its softmax divide by, queries, keys, values, what attention gave, the
    stream in its middle and after it, the inputs of the gate. Besides, the embeddings, and two gradients of the stream.
    Without a gate F in place of 2 F; with norms of heads also what these divide by, 2 H.
    With residual scales also the input of each block, the normalized embeddings and their gradient: (N + 2) R D; with
    bigram embeddings their rows and the sum: 2 R D; with value embeddings, of V layers, these and what their gates are
    computed from: V R (D + H).
    """
    D, F, H, N = config.d_model, config.d_ff, config.num_heads, config.num_layers
    scaled = (N + 2) * D if config.residual_scales else 0
    scaled += 2 * D if config.bigram_buckets else 0
    scaled += config.value_embeddings * (D + H)
    vectors = (3 if config.qk_norm else 1) * H
    inner = (2 if config.feed_forward == "swiglu" else 1) * F
    return BYTES_PER_FLOAT32 * num_rows * (N * (2 + vectors + 6 * D + inner) + 3 * D + scaled)


def kernel_workspace(config: ModelConfig, sequence_length: int, micro_batch: int, precision: str) -> int:
    """Return the bytes that kernels work on at the peak: packed matrices, a block going back, and the head."""
    D, F = config.d_model, config.d_ff
    num_rows = micro_batch * sequence_length
    rows = min(num_rows, max(_BLOCK_ROWS, sequence_length))
    matrices = 4 * D * D + (3 if config.feed_forward == "swiglu" else 2) * D * F
    backward = rows * (3 * max(D, F) + 3 * D + 2 * D + F)
    if config.qk_norm:
        # Normalized queries and keys of the forward pass; their gradients.
        backward = max(2 * num_rows * D, backward + 2 * rows * D)
    packed = _PACKED_BYTES.get(precision, BYTES_PER_FLOAT32) * matrices
    return packed + BYTES_PER_FLOAT32 * backward + loss_workspace(config, precision)


def loss_workspace(config: ModelConfig, precision: str) -> int:
    """Return the bytes that the loss works on: the head's packed matrix, logits of some tokens, parts of gradients."""
    D, V = config.d_model, config.vocab_size
    packed = _PACKED_BYTES.get(precision, BYTES_PER_FLOAT32) * V * D
    return packed + BYTES_PER_FLOAT32 * _LOSS_TOKENS * (V + (2 + _LOSS_GROUPS) * D)


def reused_bytes(config: ModelConfig, num_rows: int, smallest: int) -> int:
    """Return what of it is memory that is used again: activations but for embeddings, gradients, AdamW's moments.

    Args:
        config: The model.
        num_rows: Positions of a micro-batch.
        smallest: Numbers of a tensor from which on its memory is used again.
    """
    sizes = [prod(shape) for shape in parameter_shapes(config).values()]
    kept = sum(size for size in sizes if size >= smallest)
    embeddings = (1 + config.value_embeddings) * num_rows * config.d_model
    return kernel_activations(config, num_rows) + BYTES_PER_FLOAT32 * (3 * kept - embeddings)
