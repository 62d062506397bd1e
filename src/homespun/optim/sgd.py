"""Gradient descent whose rate falls with the root of time."""

from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from homespun.config import check_at_least


class SGD(Optimizer):
    """p -= lr / sqrt(t + 1) * gradient, where t counts the steps this parameter has taken, from 0.

    Source: Zinkevich 2003 (online gradient descent): the rate whose regret grows as sqrt(t).
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = 1e-3) -> None:
        check_at_least("lr", lr, 0)
        super().__init__(params, {"lr": lr})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient; `closure` computes them anew and returns the loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                count = state.setdefault("step", torch.zeros((), dtype=torch.float32))
                parameter.add_(parameter.grad, alpha=-group["lr"] / sqrt(int(count) + 1))
                count.add_(1)
        return loss
