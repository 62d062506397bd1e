"""The sum of two streams by learned scales, whose gradients no order of tokens changes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.model.ops.gradients import exact_gradient_sum
from homespun.model.ops.reference import widen

_UNITS = 2.0**24
"""A batch's sum is of multiples of 1 / 2^24: exact in float64. It is that of a summed loss, whose shares are near 1."""


def scaled_sum(
    x: Float[Tensor, "*B D"], other: Float[Tensor, "*B D"], scales: Float[Tensor, "2"]
) -> Float[Tensor, "*B D"]:
    """Return scales[0] * x + scales[1] * other."""
    return _ScaledSum.apply(x, other, scales)


class _ScaledSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor, scales: Tensor) -> Tensor:
        ctx.sum = exact_gradient_sum(scales, "scaled_sum")
        ctx.save_for_backward(x, other, scales)
        first, second = scales.to(x.dtype).unbind()
        return (x * first).add_(other * second)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        x, other, scales = ctx.saved_tensors
        # A row's sum has the same bits in any batch; in float32 at least.
        shares = torch.stack([widen(grad * y).sum(dim=-1).flatten() for y in (x, other)])
        first, second = scales.to(grad.dtype).unbind()
        if ctx.sum is None:
            return grad * first, grad * second, shares.sum(dim=-1).to(scales.dtype)
        ctx.sum.add_((shares.double() * _UNITS).round_().sum(dim=-1) / _UNITS)
        return grad * first, grad * second, None
