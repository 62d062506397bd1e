"""Averages of the weights over the last steps of a run, kept in the optimizer's state."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from homespun.optim.config import WeightAverage

KEY = "average"
"""In a parameter's state: checkpoints so have the averages, and a resumed run continues them."""


def empty_average(parameter: Tensor) -> Tensor:
    """Return a parameter's average before there is one: zeros, in float32 at least."""
    return torch.zeros_like(parameter, dtype=torch.promote_types(parameter.dtype, torch.float32))


@torch.no_grad()
def update_averages(optimizer: Optimizer, settings: WeightAverage, step: int, num_steps: int) -> None:
    """Let the averages follow the weights after `step` (from 0); after the last step, let them take the weights' place.

        average = (1 - w) average + w weights      w = 1 / k in the k-th averaged step ("uniform"), or 1 - decay ("ema")

    The first averaged step sets the average to its weights.

    Source: Sanyal et al. 2023, arXiv:2306.03241 (late weights of one run); Izmailov et al. 2018, arXiv:1803.05407.
    """
    count = step - settings.first_step(num_steps) + 1
    if settings.kind == "none" or count < 1:
        return
    share = 1 / count if settings.kind == "uniform" or count == 1 else 1 - settings.decay
    for parameter, state in optimizer.state.items():
        average = state[KEY]
        # Not lerp, whose last numbers torch rounds otherwise than the rest: bits would depend on the number of threads.
        average.mul_(1 - share).add_(parameter.to(average.dtype) * share)
        if step == num_steps - 1:
            parameter.copy_(average)
