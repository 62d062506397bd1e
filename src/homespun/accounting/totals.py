"""The parameters, FLOPs and memory of training: sums over what the model's layers and the optimizers state they cost.

FLOPs are those of matrix multiplies. Softmax, norms, activations and RoPE are left out, as everywhere in the
literature: they are below a percent.
"""

from collections import Counter
from dataclasses import dataclass, replace
from math import prod

from homespun.config import check_at_least
from homespun.model.config import ModelConfig
from homespun.model.costs import Component, MatrixMultiply, list_layer_costs
from homespun.optim.config import AdamWOptim, OptimConfig

BACKWARD_PER_FORWARD = 2
"""The backward pass multiplies each matrix twice: for the gradient of its input and of its weight."""

BYTES_PER_FLOAT32 = 4
_ADAMW = AdamWOptim()


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return every trained tensor of `TransformerLM(config)` by its state-dict name.

    With V = vocab_size, D = d_model, F = d_ff and N = num_layers, untied and pre-norm, the elements add up to

        2 V D + N (4 D**2 + M D F + 2 D) + D        M = 3 feed-forward matrices ("swiglu") or 2
    """
    return {
        f"{module}.{name}": shape
        for layer in list_layer_costs(config, config.context_length)
        for module in layer.modules
        for name, shape in layer.shapes.items()
    }


def parameter_components(config: ModelConfig) -> dict[str, Component]:
    """Return the component of every trained tensor, by its state-dict name."""
    return {
        f"{module}.{name}": layer.component
        for layer in list_layer_costs(config, config.context_length)
        for module in layer.modules
        for name in layer.shapes
    }


def parameters_by_component(config: ModelConfig) -> dict[Component, int]:
    """Count the parameters of each component that has any."""
    counts: Counter[Component] = Counter()
    for layer in list_layer_costs(config, config.context_length):
        if count := len(layer.modules) * sum(prod(shape) for shape in layer.shapes.values()):
            counts[layer.component] += count
    return dict(counts)


def count_parameters(config: ModelConfig) -> int:
    """Count all trained numbers of `TransformerLM(config)`, a tied table once."""
    return sum(parameters_by_component(config).values())


def list_matrix_multiplies(config: ModelConfig, sequence_length: int) -> tuple[MatrixMultiply, ...]:
    """Return every matrix multiply of a forward pass over one sequence, in the order of the pass.

    `sequence_length` may exceed the model's context, to ask what a longer one would cost.
    """
    return tuple(
        replace(product, times=product.times * len(layer.modules))
        for layer in list_layer_costs(config, sequence_length)
        for product in layer.multiplies
    )


def forward_flops(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """Count the FLOPs of the matrix multiplies of one forward pass over `batch_size` sequences."""
    return batch_size * sum(product.flops for product in list_matrix_multiplies(config, sequence_length))


def forward_flops_by_component(config: ModelConfig, sequence_length: int) -> dict[Component, int]:
    """Count `forward_flops` of one sequence for each component."""
    totals: Counter[Component] = Counter()
    for product in list_matrix_multiplies(config, sequence_length):
        totals[product.component] += product.flops
    return dict(totals)


def training_flops(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """Count the FLOPs of forward and backward: three times the forward matrix multiplies, without the update."""
    return (1 + BACKWARD_PER_FORWARD) * forward_flops(config, sequence_length, batch_size)


def training_flops_by_rule(config: ModelConfig, sequence_length: int, batch_size: int = 1) -> int:
    """Return the rule of thumb 6 B T P: two FLOPs a token and parameter forward, four backward.

    It counts the input table, which multiplies nothing, and leaves out the scores and weighted values, which grow
    with the square of T: too much for small models, too little for long contexts.

    Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1.
    """
    return 6 * batch_size * sequence_length * count_parameters(config)


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes of one training step, as `per_sequence_bytes * batch_size + fixed_bytes`."""

    fixed: dict[str, int]
    """Bytes whatever the batch size: parameters, gradients, optimizer state."""

    activations: dict[str, int]
    """Bytes of activations that each sequence adds."""

    @property
    def fixed_bytes(self) -> int:
        return sum(self.fixed.values())

    @property
    def per_sequence_bytes(self) -> int:
        return sum(self.activations.values())

    def bytes_at(self, batch_size: int) -> int:
        """Return the peak bytes with `batch_size` sequences in one forward pass."""
        check_at_least("batch_size", batch_size, 0)
        return self.fixed_bytes + self.per_sequence_bytes * batch_size

    def max_batch_size(self, available_bytes: int) -> int:
        """Return the most sequences whose forward and backward pass fits; 0 if not even one does."""
        return max(0, (available_bytes - self.fixed_bytes) // self.per_sequence_bytes)


def training_memory(config: ModelConfig, sequence_length: int, optim: OptimConfig = _ADAMW) -> TrainingMemory:
    """Return the peak memory of a float32 training step on sequences of T tokens.

        fixed       4 P parameters + 4 P gradients + 4 S optimizer state
        a sequence  4 (N (8 T D + 2 H T**2 + a T F) + T D + T V + T)

    Counted as in the textbook exercise: nothing is recomputed or fused, and each operation of the forward pass keeps
    its output for the backward pass; a = 4 with "swiglu" and 2 with the others. With two feed-forward matrices and
    F = 4 D this is N (16 T D + 2 H T**2) + T D + T V + T numbers.

    S = 2 P with AdamW, whose moments are two numbers a parameter.
    """
    parameter_bytes = BYTES_PER_FLOAT32 * count_parameters(config)
    return TrainingMemory(
        fixed={
            "parameters": parameter_bytes,
            "gradients": parameter_bytes,
            "optimizer state": BYTES_PER_FLOAT32 * optim.update_cost(parameter_shapes(config)).state_size,
        },
        activations={
            name: BYTES_PER_FLOAT32 * count * len(layer.modules)
            for layer in list_layer_costs(config, sequence_length)
            for name, count in layer.activations.items()
        },
    )
