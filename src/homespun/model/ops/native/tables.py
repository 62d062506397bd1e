"""Products with a matrix, and rows of a table.

d_in, d_out widths of a matrix's input and output
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.kernels import as_array, empty, empty_like, kernels, uses_bfloat16
from homespun.model.ops import reference
from homespun.model.ops.gradients import gradient_sum

MIN_ROWS = 32
"""Vectors from which on a product is worth packing its matrix for."""


def linear(x: Float[Tensor, "... d_in"], weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "... d_out"]:
    """Return x W^T."""
    # Not in training: there the size of a micro-batch must not choose who multiplies, for their bits differ.
    if x.shape[:-1].numel() < MIN_ROWS and not torch.is_grad_enabled():
        return reference.linear(x, weight)
    return _Linear.apply(x, weight)


def embedding(table_VD: Float[Tensor, "V D"], ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
    """Return the row of each id."""
    return _Embedding.apply(table_VD, ids)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.sum = gradient_sum(weight, "linear")
        ctx.bfloat16 = uses_bfloat16()
        x, weight = x.contiguous(), weight.contiguous()
        y = empty(*x.shape[:-1], weight.shape[0])
        kernels().multiply(as_array(x), False, as_array(weight), True, as_array(y), False, ctx.bfloat16)
        ctx.save_for_backward(x, weight)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad, dx, dweight = grad.contiguous(), None, None
        if ctx.needs_input_grad[0]:
            dx = empty_like(x)
            kernels().multiply(as_array(grad), False, as_array(weight), False, as_array(dx), False, ctx.bfloat16)
        if ctx.needs_input_grad[1]:
            dweight = torch.empty_like(weight) if ctx.sum is None else ctx.sum
            adds = ctx.sum is not None
            kernels().multiply(as_array(grad), True, as_array(x), False, as_array(dweight), adds, ctx.bfloat16)
        return dx, dweight if ctx.sum is None else None


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table_VD: Tensor, ids: Tensor) -> Tensor:
        ctx.sum = gradient_sum(table_VD, "embedding")
        ctx.save_for_backward(ids)
        ctx.table = table_VD.shape
        return reference.embedding(table_VD, ids)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, None]:
        (ids,) = ctx.saved_tensors
        dtable_VD = grad.new_zeros(ctx.table) if ctx.sum is None else ctx.sum
        kernels().add_rows(as_array(ids.long().contiguous()), as_array(grad.contiguous()), as_array(dtable_VD))
        return dtable_VD if ctx.sum is None else None, None
