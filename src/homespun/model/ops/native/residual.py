"""The sum of two streams by learned scales, whose gradients no order of tokens changes."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.kernels import as_array, empty_like, kernels
from homespun.model.ops.gradients import exact_gradient_sum


def scaled_sum(
    x: Float[Tensor, "*B D"], other: Float[Tensor, "*B D"], scales: Float[Tensor, "2"]
) -> Float[Tensor, "*B D"]:
    """Return scales[0] * x + scales[1] * other."""
    return _ScaledSum.apply(x, other, scales)


class _ScaledSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor, scales: Tensor) -> Tensor:
        ctx.sum = exact_gradient_sum(scales, "scaled_sum")
        x, other = x.contiguous(), other.contiguous()
        y = empty_like(x)
        first, second = scales.tolist()
        kernels().scaled_sum(as_array(x), as_array(other), (first, second), as_array(y))
        ctx.save_for_backward(x, other, scales)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        x, other, scales = ctx.saved_tensors
        dx, dother = empty_like(x), empty_like(other)
        first, second = scales.tolist()
        arrays = map(as_array, (grad.contiguous(), x, other, dx, dother))
        dscales = torch.tensor(kernels().scaled_sum_backward((first, second), *arrays), dtype=torch.float64)
        if ctx.sum is None:
            return dx, dother, dscales.to(scales.dtype)
        ctx.sum.add_(dscales)
        return dx, dother, None
