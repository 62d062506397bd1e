"""SwiGLU's gate, silu(a) * b, which keeps only its two inputs for the backward pass."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def silu_gate(a: Float[Tensor, "*B F"], b: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
    """silu(a) * b; differentiable once."""
    return _SiLUGate.apply(a, b)


class _SiLUGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.sigmoid(a).mul_(a).mul_(b)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        sigmoid = torch.sigmoid(a)
        silu = sigmoid * a
        # d silu(a) / da = sigmoid + silu * (1 - sigmoid)
        slope = torch.addcmul(silu, silu, sigmoid, value=-1).add_(sigmoid)
        return slope.mul_(b).mul_(grad), silu.mul_(grad)
