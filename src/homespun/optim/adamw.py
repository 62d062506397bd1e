"""Adam with decoupled weight decay."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Callable, Iterable, Iterator
from math import sqrt
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

from homespun.config import check_at_least, check_fraction

ELEMENTS_PER_PIECE = 2**22
"""Parameters updated together, counted in elements: bounds the memory of the temporaries, which is as large again."""


class AdamW(Optimizer):
    """Steps of a size that does not depend on the gradient's scale, and a decay that does not depend on it either.

        p *= 1 - lr * weight_decay
        m  = beta1 * m + (1 - beta1) * gradient
        v  = beta2 * v + (1 - beta2) * gradient**2
        p -= lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps)

    with t = 1 in a parameter's first step. The moments m and v are float32 at least, whatever the parameter's dtype.
    The arithmetic is PyTorch's, operation by operation, so that results equal `torch.optim.AdamW`.

    Args:
        params: Parameters, or groups of them with settings of their own.
        lr: Learning rate.
        betas: (beta1, beta2), each at least 0 and less than 1.
        eps: Keeps the step finite where gradients vanish.
        weight_decay: Fraction of a parameter taken away by a step, times lr.

    Raises:
        ConfigError: a setting is out of its range.

    Source: Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2; the decay times lr as in PyTorch.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        for name, value in (("lr", lr), ("eps", eps), ("weight_decay", weight_decay)):
            check_at_least(name, value, 0)
        for i, beta in enumerate(betas):
            check_fraction(f"betas[{i}]", beta, below_one=True)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

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
            for piece in _pieces(p for p in group["params"] if p.grad is not None):
                self._update(piece, group)
        return loss

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        states = [self._state_of(parameter) for parameter in parameters]
        means = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]
        values = [parameter.to(mean.dtype) for parameter, mean in zip(parameters, means, strict=True)]
        gradients = [p.grad.to(mean.dtype) for p, mean in zip(parameters, means, strict=True) if p.grad is not None]
        counts = [int(state["step"].add_(1)) for state in states]

        torch._foreach_mul_(values, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, [sqrt(1 - beta2**t) for t in counts])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(values, means, roots, [-lr / (1 - beta1**t) for t in counts])

        for parameter, value in zip(parameters, values, strict=True):
            if value is not parameter:
                parameter.copy_(value)

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        """The parameter's moments and count of steps, zero at first."""
        state = self.state[parameter]
        if not state:
            dtype = torch.promote_types(parameter.dtype, torch.float32)
            state["step"] = torch.zeros((), dtype=torch.float32)  # on the CPU: reading it waits for no device
            state["exp_avg"] = torch.zeros_like(parameter, dtype=dtype)
            state["exp_avg_sq"] = torch.zeros_like(parameter, dtype=dtype)
        return state


def _pieces(parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Group parameters, in their order, into lists of at most `ELEMENTS_PER_PIECE`, or of one that is larger."""
    piece: list[Tensor] = []
    for parameter in parameters:
        if piece and sum(p.numel() for p in piece) + parameter.numel() > ELEMENTS_PER_PIECE:
            yield piece
            piece = []
        piece.append(parameter)
    if piece:
        yield piece
