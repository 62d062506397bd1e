"""Model and optimizer on their device, and one training step: what a distributed trainer would replace."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from homespun.accounting.totals import parameter_components
from homespun.errors import TrainingError
from homespun.kernels import as_array, is_for_kernels, kernels
from homespun.model.ops.gradients import GradientSums
from homespun.model.transformer import TrainingLoss, TransformerLM
from homespun.optim.average import update_averages
from homespun.optim.clip import clip_factor, gradient_norms
from homespun.optim.config import WeightAverage
from homespun.optim.optimizer import GroupedOptimizer, build_optimizer, set_learning_rates
from homespun.optim.schedule import Schedule
from homespun.recipe.config import RunConfig
from homespun.runs.device import autocast
from homespun.seeding import derive_seed
from homespun.shapes import TokensBT
from homespun.training.trace import StepTrace, trace_step


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """One optimizer step in figures."""

    loss: float
    """Mean nats per token over the whole batch, before the update."""

    grad_norm: float
    """Global l2 norm of the gradients, before clipping."""

    grad_norms: dict[str, float]
    """The same of each component's gradients: embedding, attention, feed-forward, norms, head."""

    lr: float
    """Learning rate of the main optimizer."""


@dataclass(kw_only=True)
class Engine:
    """The model, its optimizer and one training step; independent of files and of other steps."""

    model: TransformerLM
    loss: torch.nn.Module
    """(inputs, targets) -> the sum of the tokens' nats: the model's `TrainingLoss`, compiled or not."""
    optimizer: GroupedOptimizer
    schedule: Schedule
    num_steps: int
    """Length of the run, which the schedule depends on."""
    micro_batch: int
    """Sequences in one forward pass."""
    max_grad_norm: float
    device: str
    precision: str
    average: WeightAverage = field(default_factory=WeightAverage)
    """The mean of late weights, which takes their place after the last step."""

    def __post_init__(self) -> None:
        component_of = parameter_components(self.model.config)
        components = [component_of[name] for name, _ in self.model.named_parameters()]
        self._components = list(dict.fromkeys(components))
        members = [[each == component for each in components] for component in self._components]
        self._members_GP = torch.tensor(members, device=self.device)
        self._parameters = [*self.model.parameters()]
        self._sums = GradientSums()

    @classmethod
    def build(cls, config: RunConfig) -> "Engine":
        """Build model and optimizer as the run's seed gives them, on the run's device."""
        # Drawn on the CPU, so that the initial weights are the same on every device.
        torch.manual_seed(derive_seed(config.seed, "init"))
        model = TransformerLM(config.model)
        torch.manual_seed(derive_seed(config.seed, "training"))
        model = model.to(config.execution.device)
        loss = TrainingLoss(model, reduction="sum")
        if config.execution.compile:
            loss.compile()
        return cls(
            model=model,
            loss=loss,
            optimizer=build_optimizer(model, config.optim),
            schedule=config.optim.schedule,
            num_steps=config.training.num_steps,
            micro_batch=config.execution.micro_batch,
            max_grad_norm=config.optim.max_grad_norm,
            average=config.optim.average,
            device=config.execution.device,
            precision=config.execution.precision,
        )

    def step(self, step: int, inputs: Int[np.ndarray, "B T"], targets: Int[np.ndarray, "B T"]) -> StepOutcome:
        """Update the model once by the gradient of its mean loss over a batch; in the last step, then take its average.

        The gradient is summed over micro-batches, whose size bounds memory. It changes no bit where every operation
        runs on the kernels, and else the result by rounding alone.

        Args:
            step: Counted from 0; the schedule's argument.
            inputs: Token ids.
            targets: Their successors.

        Raises:
            TrainingError: loss or gradient is not finite; the parameters are as before the step.
        """
        inputs_BT, targets_BT = (torch.from_numpy(ids).to(self.device) for ids in (inputs, targets))
        mean = 1 / targets.size
        loss, grad_norm, grad_norms = self._measure(self._accumulate(inputs_BT, targets_BT), mean)
        set_learning_rates(self.optimizer, self.schedule.scale(step, self.num_steps))
        outcome = StepOutcome(
            loss=loss, grad_norm=grad_norm, grad_norms=grad_norms, lr=self.optimizer.param_groups[0]["lr"]
        )
        if not (isfinite(loss) and isfinite(grad_norm)):
            message = self._diagnose(step, outcome, inputs_BT, targets_BT)
            self._forget_gradients()
            raise TrainingError(message)
        self.optimizer.step(gradient_scale=mean * clip_factor(grad_norm, self.max_grad_norm))
        update_averages(self.optimizer, self.average, step, self.num_steps)
        self._forget_gradients()
        return outcome

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of forward passes: matrix products in the run's precision."""
        return autocast(self.device, self.precision)

    def _accumulate(self, inputs_BT: TokensBT, targets_BT: TokensBT) -> Tensor:
        """Add the gradient of the sum of the tokens' losses to the parameters', and return that sum."""
        losses = []
        for inputs, targets in zip(inputs_BT.split(self.micro_batch), targets_BT.split(self.micro_batch), strict=True):
            with self._sums.collect():
                with self.autocast():
                    loss = self.loss(inputs, targets)
                loss.backward()
            losses.append(loss.detach())
        self._sums.finish()
        return torch.stack(losses).sum()

    def _forget_gradients(self) -> None:
        """Begin the next batch's sums. Their memory is kept where kernels add to it."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if is_for_kernels(*gradients):
            kernels().fill_zero([as_array(gradient) for gradient in gradients])
        else:
            self.optimizer.zero_grad()

    def _measure(self, loss: Tensor, mean: float) -> tuple[float, float, dict[str, float]]:
        """Return the mean loss, the global norm of its gradient, and that of each component."""
        norms_P = gradient_norms(self._parameters)
        norms_GP = torch.where(self._members_GP, norms_P, 0.0)
        norms = torch.cat((torch.linalg.vector_norm(norms_P)[None], torch.linalg.vector_norm(norms_GP, dim=1)))
        # The step's only wait for the device. Before the update: what is not finite must not reach the weights.
        total, norm, *rest = (mean * x for x in torch.cat((loss[None], norms.to(loss))).tolist())
        return total, norm, dict(zip(self._components, rest, strict=True))

    def trace(self, inputs: Int[np.ndarray, "B T"], targets: Int[np.ndarray, "B T"]) -> StepTrace:
        """Return what passes through every module in a step on this batch; nothing is updated."""
        trace = self._trace(*(torch.from_numpy(ids).to(self.device) for ids in (inputs, targets)))
        self._forget_gradients()
        return trace

    def _trace(self, inputs_BT: TokensBT, targets_BT: TokensBT) -> StepTrace:
        micro_batches = zip(inputs_BT.split(self.micro_batch), targets_BT.split(self.micro_batch), strict=True)
        return trace_step(self.model, micro_batches, self.autocast)

    def _diagnose(self, step: int, outcome: StepOutcome, inputs_BT: TokensBT, targets_BT: TokensBT) -> str:
        named = list(self.model.named_parameters())
        found = next((f"weights of {name}" for name, p in named if not p.isfinite().all()), None)
        gradients = [f"gradient of {name}" for name, p in named if p.grad is not None and not p.grad.isfinite().all()]
        # After the gradients, to which it adds.
        found = found or self._trace(inputs_BT, targets_BT).first_not_finite
        found = found or next(iter(gradients), "norm of all gradients, which exceeds float32")
        return (
            f"step {step}: loss {outcome.loss}, gradient norm {outcome.grad_norm}; the first that is not finite is "
            f"the {found.removeprefix('the ')}. Nothing was updated. The learning rate was {outcome.lr:.3g}: lower "
            "optim.lr, lengthen optim.schedule.warmup_steps, or train with execution.precision: float32"
        )
