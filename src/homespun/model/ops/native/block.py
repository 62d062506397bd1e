"""A whole block in one call each way: what is computed of some rows stays in the cache for the next operation."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun import _native
from homespun.kernels import as_array, empty, empty_like, kernels, uses_bfloat16
from homespun.model.ops.gradients import gradient_sum
from homespun.shapes import HiddenBTD


def block(
    x_BTD: HiddenBTD,
    ln1: Tensor,
    q_proj: Tensor,
    k_proj: Tensor,
    v_proj: Tensor,
    output_proj: Tensor,
    ln2: Tensor,
    w1: Tensor,
    w3: Tensor,
    w2: Tensor,
    cos: Tensor | None,
    sin: Tensor | None,
    num_heads: int,
    eps: float,
) -> HiddenBTD:
    """Return the residual stream after a block with norms before attention and SwiGLU."""
    parameters = (ln1, q_proj, k_proj, v_proj, output_proj, ln2, w1, w3, w2)
    return _Block.apply(x_BTD, cos, sin, num_heads, eps, *parameters)


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x_BTD: Tensor,
        cos: Tensor | None,
        sin: Tensor | None,
        num_heads: int,
        eps: float,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.sums = [gradient_sum(parameter, "block") for parameter in parameters]
        x_BTD = x_BTD.contiguous()
        parameters = tuple(parameter.contiguous() for parameter in parameters)
        ctx.settings = (_angles(cos, sin), num_heads, eps, uses_bfloat16())
        x = as_array(x_BTD)
        saved = empty(_native.Kernels.block_saved_len(x, len(parameters[6]), num_heads))
        y_BTD = empty_like(x_BTD)
        arrays = [as_array(parameter) for parameter in parameters]
        kernels().block(arrays, *ctx.settings, x, as_array(saved), as_array(y_BTD))
        ctx.save_for_backward(x_BTD, saved, *parameters)
        return y_BTD

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BTD: Tensor
    ) -> tuple[Tensor | None, ...]:
        x_BTD, saved, *parameters = ctx.saved_tensors
        pairs = zip(parameters, ctx.sums, strict=True)
        gradients = [torch.zeros_like(parameter) if sums is None else sums for parameter, sums in pairs]
        angles, num_heads, eps, bfloat16 = ctx.settings
        dx_BTD = empty_like(x_BTD)
        kernels().block_backward(
            [as_array(parameter) for parameter in parameters],
            angles,
            num_heads,
            eps,
            bfloat16,
            as_array(x_BTD),
            as_array(saved),
            as_array(grad_BTD.contiguous()),
            [as_array(gradient) for gradient in gradients],
            as_array(dx_BTD),
        )
        pairs = zip(gradients, ctx.sums, strict=True)
        returned = (gradient if sums is None else None for gradient, sums in pairs)
        return dx_BTD, None, None, None, None, *returned


def _angles(cos: Tensor | None, sin: Tensor | None) -> tuple[Any, Any] | None:
    if cos is None or sin is None:
        return None
    return as_array(cos.contiguous()), as_array(sin.contiguous())
