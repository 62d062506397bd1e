"""Parameters, FLOPs, memory and days of a training run, computed from its config."""

from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

from homespun.accounting.machines import Machine
from homespun.accounting.totals import (
    BYTES_PER_FLOAT32,
    TrainingMemory,
    count_parameters,
    forward_flops,
    forward_flops_by_component,
    list_matrix_multiplies,
    parameter_shapes,
    parameters_by_component,
    training_flops,
    training_flops_by_rule,
    training_memory,
)
from homespun.config import check_at_least, check_fraction, check_positive
from homespun.model.config import ModelConfig
from homespun.optim.config import AdamWOptim, OptimConfig, UpdateCost

_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Estimate:
    """What training costs, computed from a model, a batch, an optimizer and a machine, without building the model.

    Raises:
        ConfigError: a number is out of its range, or the machine has no such precision.
    """

    model: ModelConfig
    _: KW_ONLY
    name: str
    """What to call it in the tables."""
    batch_size: int
    """Sequences of `model.context_length` tokens in one optimizer step."""
    micro_batch: int | None = None
    """Sequences in one forward pass, which determine the memory; None: the whole batch at once."""
    num_steps: int
    """Optimizer steps."""
    optim: OptimConfig = field(default_factory=AdamWOptim)
    """The optimizers: their state and the FLOPs of their update."""
    machine: Machine
    """Its memory bounds the batch."""
    precision: str
    """Format of the matrix products, for the machine's peak; memory is counted in float32."""
    mfu: float
    """The fraction of the machine's peak that training reaches; above 0 and at most 1."""
    published_parameters: int | None = None
    """Parameters of the released model that a preset takes its dimensions from; None for a recipe."""

    def __post_init__(self) -> None:
        check_at_least("batch_size", self.batch_size, 1)
        check_at_least("num_steps", self.num_steps, 1)
        check_positive("mfu", self.mfu)
        check_fraction("mfu", self.mfu)
        self.machine.peak(self.precision)

    @property
    def sequences_at_once(self) -> int:
        """Sequences in one forward pass."""
        return self.micro_batch or self.batch_size

    @property
    def num_parameters(self) -> int:
        return count_parameters(self.model)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the weights in float32."""
        return BYTES_PER_FLOAT32 * self.num_parameters

    @property
    def memory(self) -> TrainingMemory:
        """Peak memory of a step on whole contexts."""
        return training_memory(self.model, self.model.context_length, self.optim)

    @property
    def update_cost(self) -> UpdateCost:
        """State and FLOPs of the optimizers, over all parameters."""
        return self.optim.update_cost(parameter_shapes(self.model))

    @property
    def step_flops(self) -> int:
        """Forward and backward of one step, by exact multiplies."""
        return training_flops(self.model, self.model.context_length, self.batch_size)

    @property
    def step_flops_by_rule(self) -> int:
        """Forward and backward of one step, by 6 B T P."""
        return training_flops_by_rule(self.model, self.model.context_length, self.batch_size)

    @property
    def flops_per_second(self) -> float:
        return self.machine.peak(self.precision) * self.mfu

    @property
    def days(self) -> float:
        """Days of all steps, by exact multiplies; the update is not counted."""
        return self.num_steps * self.step_flops / self.flops_per_second / _SECONDS_PER_DAY

    @property
    def days_by_rule(self) -> float:
        """Days of all steps, by 6 B T P."""
        return self.num_steps * self.step_flops_by_rule / self.flops_per_second / _SECONDS_PER_DAY

    def as_dict(self) -> dict[str, Any]:
        """Every figure of the tables in types that JSON has, unrounded."""
        length = self.model.context_length
        memory = self.memory
        multiplies = list_matrix_multiplies(self.model, length)
        return {
            "name": self.name,
            "model": asdict(self.model),
            "parameters": {
                "by_component": parameters_by_component(self.model),
                "total": self.num_parameters,
                "bytes": self.parameter_bytes,
                "published": self.published_parameters,
            },
            "forward": {
                "sequence_length": length,
                "multiplies": [{**asdict(product), "flops": product.flops} for product in multiplies],
                "by_component": forward_flops_by_component(self.model, length),
                "flops": forward_flops(self.model, length),
            },
            "memory": {
                "fixed": memory.fixed,
                "activations_per_sequence": memory.activations,
                "fixed_bytes": memory.fixed_bytes,
                "per_sequence_bytes": memory.per_sequence_bytes,
                "micro_batch": self.sequences_at_once,
                "bytes": memory.bytes_at(self.sequences_at_once),
                "available_bytes": self.machine.memory_bytes,
                "max_batch_size": memory.max_batch_size(self.machine.memory_bytes),
            },
            "step": {
                "batch_size": self.batch_size,
                "flops": self.step_flops,
                "flops_by_rule": self.step_flops_by_rule,
                "update_flops": self.update_cost.flops,
            },
            "time": {
                "num_steps": self.num_steps,
                "machine": self.machine.name,
                "precision": self.precision,
                "peak_flops": self.machine.peak(self.precision),
                "mfu": self.mfu,
                "days": self.days,
                "days_by_rule": self.days_by_rule,
            },
        }


estimate_training = Estimate
"""`Estimate`, named as the call that it is."""
