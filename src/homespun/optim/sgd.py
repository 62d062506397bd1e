"""Gradient descent with a learning rate that falls with the square root of the step."""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from homespun.optim.optimizer import GroupedOptimizer


class SGD(GroupedOptimizer):
    """p -= lr / sqrt(t + 1) * gradient, where t counts the steps this parameter has taken, from 0.

    Source: Zinkevich 2003 (online gradient descent): the learning rate whose regret grows as sqrt(t).
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = 1e-3) -> None:
        super().__init__(params, {"kind": "sgd", "lr": lr})


def initial_state(parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a parameter's count of steps."""
    return {"step": torch.zeros((), dtype=torch.float32)}  # on the CPU: reading it waits for no device


def update(
    parameters: list[Tensor],
    gradients: list[Tensor],
    states: list[dict[str, Tensor]],
    group: Mapping[str, Any],
    gradient_scale: float = 1.0,
) -> None:
    """Take one step of SGD."""
    for parameter, gradient, state in zip(parameters, gradients, states, strict=True):
        parameter.add_(gradient, alpha=-group["lr"] * gradient_scale / sqrt(int(state["step"]) + 1))
        state["step"].add_(1)
