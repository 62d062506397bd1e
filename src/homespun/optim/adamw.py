"""Adam with decoupled weight decay."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from homespun.kernels import as_array, empty_like, is_for_kernels, kernels
from homespun.optim.decay import decay_cautiously
from homespun.optim.optimizer import GroupedOptimizer


class AdamW(GroupedOptimizer):
    """Adam with decoupled weight decay: neither the step nor the decay depends on the scale of the gradients.

        p *= 1 - lr * weight_decay
        m  = beta1 * m + (1 - beta1) * gradient
        v  = beta2 * v + (1 - beta2) * gradient**2
        p -= lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps)

    with t = 1 in a parameter's first step. The moments m and v are at least float32, whatever the parameter's dtype.
    The operations and their order are PyTorch's, so that results equal `torch.optim.AdamW`; to some roundings on the
    CPU in float32, where kernels of our own take the step in one pass. With `cautious_decay` the first line is that of
    `homespun.optim.decay`, by the direction of the last.

    Settings are those of `AdamWConfig`, with PyTorch's defaults; a group of parameters may have its own.

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
        cautious_decay: bool = False,
    ) -> None:
        settings = {"betas": betas, "eps": eps, "weight_decay": weight_decay, "cautious_decay": cautious_decay}
        super().__init__(params, {"kind": "adamw", "lr": lr, **settings})


def initial_state(parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a parameter's moments and count of steps."""
    dtype = torch.promote_types(parameter.dtype, torch.float32)
    zeros = [
        empty_like(parameter).zero_() if is_for_kernels(parameter) else torch.zeros_like(parameter, dtype=dtype)
        for _ in range(2)
    ]
    return {
        "step": torch.zeros((), dtype=torch.float32),  # on the CPU: reading it waits for no device
        "exp_avg": zeros[0],
        "exp_avg_sq": zeros[1],
    }


def update(
    parameters: list[Tensor],
    gradients: list[Tensor],
    states: list[dict[str, Tensor]],
    group: Mapping[str, Any],
    gradient_scale: float = 1.0,
) -> None:
    """Take one step of AdamW."""
    lr, (beta1, beta2) = group["lr"], group["betas"]
    means = [state["exp_avg"] for state in states]
    squares = [state["exp_avg_sq"] for state in states]
    if is_for_kernels(*parameters, *gradients, *means, *squares):
        # In one pass: each number is read and written once, on all threads.
        counts = [int(state["step"].add_(1)) for state in states]
        arrays = ([as_array(x) for x in tensors] for tensors in (parameters, gradients, means, squares))
        state = [*zip(*arrays, counts, strict=True)]
        decay, is_cautious = group["weight_decay"], bool(group.get("cautious_decay"))
        kernels().adamw(state, lr, (beta1, beta2), group["eps"], decay, gradient_scale, is_cautious)
        return
    # `to` returns the same tensor where the dtype is the moments' already: only narrower parameters are copied.
    values = [parameter.to(mean.dtype) for parameter, mean in zip(parameters, means, strict=True)]
    gradients = [gradient.to(mean.dtype) for gradient, mean in zip(gradients, means, strict=True)]
    if gradient_scale != 1.0:
        gradients = [*torch._foreach_mul(gradients, gradient_scale)]
    counts = [int(state["step"].add_(1)) for state in states]

    if not group.get("cautious_decay"):
        torch._foreach_mul_(values, 1 - lr * group["weight_decay"])
    torch._foreach_lerp_(means, gradients, 1 - beta1)
    if group.get("cautious_decay"):
        decay_cautiously(values, means, lr * group["weight_decay"])  # the step has the sign of the mean
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
    roots = torch._foreach_sqrt(squares)
    # Divided, not folded into one factor with lr: torch's order of rounding, which the peer test holds bit for bit.
    torch._foreach_div_(roots, [sqrt(1 - beta2**t) for t in counts])
    torch._foreach_add_(roots, group["eps"])
    torch._foreach_addcdiv_(values, means, roots, [-lr / (1 - beta1**t) for t in counts])

    for parameter, value in zip(parameters, values, strict=True):
        if value is not parameter:
            parameter.copy_(value)
