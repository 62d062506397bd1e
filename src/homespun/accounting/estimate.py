"""Parameters, FLOPs, memory and days of a training run, computed from its config."""

from dataclasses import asdict, dataclass
from typing import Any

from homespun.accounting.machines import Machine
from homespun.accounting.totals import (
    BYTES_PER_FLOAT32,
    TrainingMemory,
    count_parameters,
    forward_flops,
    forward_flops_by_component,
    list_matrix_multiplies,
    parameters_by_component,
    training_flops,
    training_flops_by_rule,
    training_memory,
    update_flops,
)
from homespun.config import check_at_least, check_fraction, check_positive
from homespun.model.config import ModelConfig

_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A model, a batch and a machine; everything else is computed from them."""

    name: str
    model: ModelConfig
    batch_size: int
    """Sequences of `model.context_length` tokens in one optimizer step."""
    micro_batch: int
    """Sequences in one forward pass, which decide the memory."""
    num_steps: int
    """Optimizer steps."""
    machine: Machine
    precision: str
    """Format of the matrix products, for the machine's peak; memory is counted in float32."""
    mfu: float
    """The fraction of the machine's peak that training reaches."""
    published_parameters: int | None = None
    """Parameters of the released model that a preset takes its dimensions from; None for a recipe."""
    state_size: int | None = None
    """Numbers that the optimizer keeps for all parameters; None: AdamW's two a parameter."""

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
        return training_memory(self.model, self.model.context_length, self.state_size)

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
                "micro_batch": self.micro_batch,
                "bytes": memory.bytes_at(self.micro_batch),
                "available_bytes": self.machine.memory_bytes,
                "max_batch_size": memory.max_batch_size(self.machine.memory_bytes),
            },
            "step": {
                "batch_size": self.batch_size,
                "flops": self.step_flops,
                "flops_by_rule": self.step_flops_by_rule,
                "update_flops": update_flops(self.model),
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


def estimate_training(
    model: ModelConfig,
    *,
    name: str,
    batch_size: int,
    num_steps: int,
    machine: Machine,
    precision: str,
    mfu: float,
    micro_batch: int | None = None,
    published_parameters: int | None = None,
    state_size: int | None = None,
) -> Estimate:
    """Estimate what training `model` costs, without building it.

    Args:
        model: The model; its whole context is trained on.
        name: What to call it in the tables.
        batch_size: Sequences in one optimizer step.
        num_steps: Optimizer steps.
        machine: Where it would run; its memory bounds the batch.
        precision: Format of the matrix products, which decides the machine's peak.
        mfu: Fraction of that peak which training reaches, above 0 and at most 1.
        micro_batch: Sequences in one forward pass; None: the whole batch at once.
        published_parameters: As in `Estimate`.
        state_size: As in `Estimate`.

    Raises:
        ConfigError: a number is out of its range, or the machine has no such precision.
    """
    check_at_least("batch_size", batch_size, 1)
    check_at_least("num_steps", num_steps, 1)
    check_positive("mfu", mfu)
    check_fraction("mfu", mfu)
    machine.peak(precision)
    return Estimate(
        name=name,
        model=model,
        batch_size=batch_size,
        micro_batch=batch_size if micro_batch is None else micro_batch,
        num_steps=num_steps,
        machine=machine,
        precision=precision,
        mfu=mfu,
        published_parameters=published_parameters,
        state_size=state_size,
    )
