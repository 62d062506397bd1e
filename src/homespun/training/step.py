"""One optimizer step: micro-batches, gradients, the guard against NaN, clipping, the update."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from homespun.errors import TrainingError
from homespun.optim.clip import clip_gradients
from homespun.shapes import TokensBT

LossFunction = Callable[[TokensBT, TokensBT], Tensor]
"""(inputs, targets) -> mean nats per token, a scalar with a graph behind it."""


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What one optimizer step tells about itself."""

    loss: float
    """Mean nats per token over the whole batch, before the update."""

    grad_norm: float
    """Global l2 norm of the gradients, before clipping."""


def take_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_function: LossFunction,
    inputs_BT: TokensBT,
    targets_BT: TokensBT,
    *,
    step: int,
    lr: float,
    micro_batch: int,
    max_grad_norm: float,
    precision_context: Callable[[], AbstractContextManager[object]],
) -> StepOutcome:
    """Update `model` once by the gradient of its mean loss over a batch.

    The gradient is summed over micro-batches, each weighted by its share of the batch; so their size bounds memory and
    changes the result by rounding alone.

    Args:
        model: Whose parameters `optimizer` holds.
        optimizer: Its groups' rates are set to `lr`.
        loss_function: The model's loss, compiled or not.
        inputs_BT: Token ids.
        targets_BT: Their successors.
        step: Counted from 0; for messages.
        lr: The rate that the schedule sets for this step.
        micro_batch: Sequences in one forward pass.
        max_grad_norm: Gradients of a greater global norm are scaled down to it.
        precision_context: Makes the autocast context in which the loss is computed.

    Raises:
        TrainingError: loss or gradient is not finite; the parameters are as before the step.
    """
    micro_batches = list(zip(inputs_BT.split(micro_batch), targets_BT.split(micro_batch), strict=True))
    loss = _add_gradients(loss_function, micro_batches, precision_context)
    grad_norm = clip_gradients(model.parameters(), max_grad_norm)
    outcome = StepOutcome(loss=float(loss), grad_norm=float(grad_norm))
    if not (isfinite(outcome.loss) and isfinite(outcome.grad_norm)):
        # Clipping by a norm that is NaN has made every gradient NaN: take them again, to see where it began.
        optimizer.zero_grad()
        _add_gradients(loss_function, micro_batches, precision_context)
        message = _diagnose(model, outcome, step, lr)
        optimizer.zero_grad()
        raise TrainingError(message)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    optimizer.zero_grad()
    return outcome


def _add_gradients(
    loss_function: LossFunction,
    micro_batches: list[tuple[Tensor, Tensor]],
    precision_context: Callable[[], AbstractContextManager[object]],
) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters', and return that loss."""
    batch_size = sum(inputs.shape[0] for inputs, _ in micro_batches)
    losses = []
    for inputs, targets in micro_batches:
        with precision_context():
            loss = loss_function(inputs, targets) * (inputs.shape[0] / batch_size)
        loss.backward()
        losses.append(loss.detach())
    return torch.stack(losses).sum()


def _diagnose(model: nn.Module, outcome: StepOutcome, step: int, lr: float) -> str:
    gradients = ((name, p.grad) for name, p in model.named_parameters() if p.grad is not None)
    culprits = [("weights", name, p) for name, p in model.named_parameters()]
    culprits += [("gradient", name, gradient) for name, gradient in gradients]
    first = next((f"{what} of {name}" for what, name, values in culprits if not values.isfinite().all()), "their norm")
    return (
        f"step {step}: loss {outcome.loss}, gradient norm {outcome.grad_norm}; the first that is not finite is the "
        f"{first}. Nothing was updated. The learning rate was {lr:.3g}: lower optim.lr, lengthen "
        "optim.schedule.warmup_steps, or train with execution.precision: float32"
    )
