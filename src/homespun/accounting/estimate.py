"""Parameters, FLOPs, memory and days of a training run, computed from its config."""

from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

from homespun.accounting.cpu import PROCESS_BYTES, max_micro_batch, step_memory
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
from homespun.optim.config import AdamWOptim, OptimConfig

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
    """The fraction of the machine's peak that training reaches, above 0 and at most 1; `cpu_mfu` computes a CPU's."""
    published_parameters: int | None = None
    """Parameters of the released model that a preset takes its dimensions from; None for a recipe."""

    def __post_init__(self) -> None:
        check_at_least("batch_size", self.batch_size, 1)
        check_at_least("num_steps", self.num_steps, 1)
        check_positive("mfu", self.mfu)
        check_fraction("mfu", self.mfu)
        self.machine.peak(self.precision)

    @property
    def memory(self) -> TrainingMemory:
        """Peak memory of a step on whole contexts."""
        return training_memory(self.model, self.model.context_length, self.optim)

    @property
    def days(self) -> float:
        """Days of all steps, by exact multiplies; the update is not counted."""
        return self._days(training_flops(self.model, self.model.context_length, self.batch_size))

    @property
    def days_by_rule(self) -> float:
        """Days of all steps, by 6 B T P."""
        return self._days(training_flops_by_rule(self.model, self.model.context_length, self.batch_size))

    def _days(self, step_flops: int) -> float:
        flops_per_second = self.machine.peak(self.precision) * self.mfu
        return self.num_steps * step_flops / flops_per_second / _SECONDS_PER_DAY

    def as_dict(self) -> dict[str, Any]:
        """Return every figure in types that JSON has, unrounded; `format_estimate` prints the same ones as tables."""
        model, length, memory = self.model, self.model.context_length, self.memory
        num_parameters, micro_batch = count_parameters(model), self.micro_batch or self.batch_size
        rules = self.optim.groups
        process_bytes = PROCESS_BYTES if self.machine.process_bytes is None else self.machine.process_bytes
        return {
            "name": self.name,
            "model": asdict(model),
            "parameters": {
                "by_component": parameters_by_component(model),
                "total": num_parameters,
                "bytes": BYTES_PER_FLOAT32 * num_parameters,
                "published": self.published_parameters,
            },
            "forward": {
                "sequence_length": length,
                "multiplies": [{**asdict(x), "flops": x.flops} for x in list_matrix_multiplies(model, length)],
                "by_component": forward_flops_by_component(model, length),
                "flops": forward_flops(model, length),
            },
            "memory": {
                "fixed": memory.fixed,
                "activations_per_sequence": memory.activations,
                "fixed_bytes": memory.fixed_bytes,
                "per_sequence_bytes": memory.per_sequence_bytes,
                "micro_batch": micro_batch,
                "bytes": memory.bytes_at(micro_batch),
                "kernel_bytes": step_memory(model, length, micro_batch, self.optim, precision=self.precision),
                "process_bytes": process_bytes,
                "available_bytes": self.machine.memory_bytes,
                "max_batch_size": memory.max_batch_size(self.machine.memory_bytes),
                "max_batch_size_by_kernels": max_micro_batch(
                    model,
                    length,
                    self.machine.memory_bytes,
                    self.optim,
                    precision=self.precision,
                    process_bytes=process_bytes,
                ),
            },
            "step": {
                "batch_size": self.batch_size,
                "flops": training_flops(model, length, self.batch_size),
                "flops_by_rule": training_flops_by_rule(model, length, self.batch_size),
                "optimizers": list(dict.fromkeys([self.optim.kind, *(rule.optimizer.kind for rule in rules)])),
                "update_flops": self.optim.update_cost(parameter_shapes(model)).flops,
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
