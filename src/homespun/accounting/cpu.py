"""What a training step takes on a CPU: memory of the whole process, and seconds, by constants that were measured.

The constants are from 2 cores of AMD Zen 5 (avx512_bf16), 2026-11-27; `benchmarks/estimate.py` compares what they give
with measured steps and writes docs/experiments/accounting.json.
"""

from collections.abc import Mapping
from math import prod

from homespun.accounting.kernels import is_fused, kernel_activations, kernel_workspace, loss_workspace
from homespun.accounting.totals import (
    BYTES_PER_FLOAT32,
    forward_flops,
    parameter_shapes,
    training_flops,
    training_memory,
)
from homespun.model.config import ModelConfig
from homespun.optim.config import AdamWOptim, OptimConfig

PROCESS_BYTES = 560 * 10**6
"""Resident memory of Python, torch and homespun before a model is built; most of it is torch's libraries."""

_FIRST_STEP_BYTES = 16 * 10**6
"""Pages of torch's libraries that only a step needs, and stacks of threads."""

_MUON_COPIES = 6
"""Copies of the largest matrix that Muon's orthogonalization works on."""

_NOT_STORED = ("scores and softmax", "logits")
"""Activations that attention and loss compute again in pieces."""

# Seconds are counted in FLOPs at the peak: a faster processor does everything else faster too, about as much.
_PER_PRODUCT_FLOP = 1.35
"""Matrices multiply at 74 % of the peak of their precision."""
_PER_SCORE_FLOP = 1.16
"""Attention, in float32, at 86 % of float32's; all T x T pairs are counted, of which kernels compute half."""
_PER_ACTIVATION = 265
"""Norms, rotations, gates and copies, forward and backward, for each number that a block keeps of a position."""
_UNFUSED = 2.0
"""Times as much where kernels compute operation by operation, each of which reads and writes memory."""
_PER_LOGIT = 233
"""Exponentials of the loss, twice."""
_PER_UPDATE_FLOP = 21
"""Updates but for products wait for memory."""
_PER_MUON_FLOP = 0.8
"""Its products are float32; kernels compute half of each symmetric one, and iterate long matrices on a short side."""
_SECONDS_PER_STEP, _SECONDS_PER_LAYER = 1.5e-3, 1e-4
"""Python and torch: of a step, and of a layer of each micro-batch."""


def step_memory(
    config: ModelConfig, sequence_length: int, micro_batch: int, optim: OptimConfig | None = None, *, precision: str
) -> int:
    """Return the peak bytes that training adds to the process.

    Parameters, gradients, optimizer state, activations of a micro-batch, what kernels work on, and Muon's copies. Where
    kernels compute whole blocks, they keep what `kernel_activations` counts. Where a switch of the model makes them
    compute operation by operation, the textbook's activations are kept, but for scores and logits, which no kernel
    stores; and the backward pass has gradients of a block's.
    """
    optim = optim or AdamWOptim()
    shapes = parameter_shapes(config)
    largest = max(
        (prod(shapes[n]) for rule, names in optim.assign(shapes) if rule.matrices_only for n in names), default=0
    )
    memory, num_rows = training_memory(config, sequence_length, optim), micro_batch * sequence_length
    if is_fused(config):
        activations = kernel_activations(config, num_rows)
        activations += kernel_workspace(config, sequence_length, micro_batch, precision)
    else:
        kept = sum(size for name, size in memory.activations.items() if name not in _NOT_STORED)
        gradients = BYTES_PER_FLOAT32 * num_rows * (3 * config.d_ff + 6 * config.d_model)
        activations = micro_batch * kept + gradients + loss_workspace(config, precision)
    return memory.fixed_bytes + activations + BYTES_PER_FLOAT32 * _MUON_COPIES * largest + _FIRST_STEP_BYTES


def max_micro_batch(
    config: ModelConfig,
    sequence_length: int,
    available_bytes: int,
    optim: OptimConfig | None = None,
    *,
    precision: str,
    process_bytes: int = PROCESS_BYTES,
) -> int:
    """Return the most sequences in one forward pass with which process and step fit into memory; 0 if not even one."""

    def fits(micro_batch: int) -> bool:
        return process_bytes + step_memory(config, sequence_length, micro_batch, optim, precision=precision) <= (
            available_bytes
        )

    if not fits(1):
        return 0
    above = 2
    while fits(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if fits(middle) else (below, middle)
    return below


def step_seconds(
    config: ModelConfig,
    sequence_length: int,
    batch_size: int,
    micro_batch: int,
    optim: OptimConfig | None = None,
    *,
    peak_flops: Mapping[str, float],
    precision: str,
) -> float:
    """Return the seconds of an optimizer step, update included, on a processor that does nothing else.

    Args:
        config: The model.
        sequence_length: Tokens of a sequence.
        batch_size: Sequences in a step.
        micro_batch: Sequences in a forward pass.
        optim: The optimizers.
        peak_flops: FLOP/s of multiply-adds by precision, on as many threads as will compute; float32's too.
        precision: Of the matrix products.
    """
    shapes, optim = parameter_shapes(config), optim or AdamWOptim()
    num_rows = batch_size * sequence_length
    D, F, V, N = config.d_model, config.d_ff, config.vocab_size, config.num_layers
    scores = 4 * num_rows * sequence_length * D * N
    products = forward_flops(config, sequence_length, batch_size) - scores
    update = sum(
        (_PER_MUON_FLOP if rule.matrices_only else _PER_UPDATE_FLOP) * rule.cost(shapes[name]).flops
        for rule, names in optim.assign(shapes)
        for name in names
    )
    in_float32 = 3 * _PER_SCORE_FLOP * scores + update
    per_activation = _PER_ACTIVATION if is_fused(config) else _UNFUSED * _PER_ACTIVATION
    in_float32 += num_rows * (per_activation * N * (6 * D + 2 * F) + _PER_LOGIT * V)
    python = _SECONDS_PER_STEP + _SECONDS_PER_LAYER * N * -(-batch_size // micro_batch)
    return 3 * _PER_PRODUCT_FLOP * products / peak_flops[precision] + in_float32 / peak_flops["float32"] + python


def cpu_mfu(
    config: ModelConfig,
    batch_size: int,
    micro_batch: int,
    optim: OptimConfig | None = None,
    *,
    peak_flops: Mapping[str, float],
    precision: str,
) -> float:
    """Return the fraction of a CPU's peak that a step's exact multiplies reach, by `step_seconds`."""
    length = config.context_length
    seconds = step_seconds(config, length, batch_size, micro_batch, optim, peak_flops=peak_flops, precision=precision)
    return training_flops(config, length, batch_size) / seconds / peak_flops[precision]
