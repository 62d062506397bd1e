"""A whole block in one call each way: what is computed of some rows stays in the cache for the next operation."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun import _native
from homespun.kernels import as_array, empty, empty_like, kernels, uses_bfloat16
from homespun.model.ops.gradients import gradient_sum
from homespun.model.ops.reference import Activation
from homespun.shapes import HiddenBTD


def block(
    x_BTD: HiddenBTD,
    ln1: Tensor,
    q_proj: Tensor,
    k_proj: Tensor,
    v_proj: Tensor,
    output_proj: Tensor,
    q_norm: Tensor | None,
    k_norm: Tensor | None,
    ln2: Tensor,
    w1: Tensor,
    w3: Tensor | None,
    w2: Tensor,
    cos: Tensor | None,
    sin: Tensor | None,
    num_heads: int,
    eps: float,
    activation: Activation = "silu",
    value_gate: Tensor | None = None,
    value_embedding_BTD: HiddenBTD | None = None,
) -> HiddenBTD:
    """Return the residual stream after a block with norms before attention and feed-forward network."""
    values = (value_gate, value_embedding_BTD)
    parameters = (ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, *values)
    return _Block.apply(x_BTD, cos, sin, num_heads, eps, activation, *parameters)


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x_BTD: Tensor,
        cos: Tensor | None,
        sin: Tensor | None,
        num_heads: int,
        eps: float,
        activation: Activation,
        *parameters: Tensor | None,
    ) -> Tensor:
        *trained, _ = parameters  # the last is an activation
        ctx.sums = [None if parameter is None else gradient_sum(parameter, "block") for parameter in trained] + [None]
        x_BTD = x_BTD.contiguous()
        parameters = tuple(None if parameter is None else parameter.contiguous() for parameter in parameters)
        ctx.settings = (_angles(cos, sin), num_heads, eps, activation, uses_bfloat16())
        x, arrays = as_array(x_BTD), _arrays(parameters)
        saved = empty(_native.Kernels.block_saved_len(x, arrays, num_heads))
        y_BTD = empty_like(x_BTD)
        kernels().block(arrays, ctx.settings, x, as_array(saved), as_array(y_BTD))
        ctx.save_for_backward(x_BTD, saved, *parameters)
        return y_BTD

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BTD: Tensor
    ) -> tuple[Tensor | None, ...]:
        x_BTD, saved, *parameters = ctx.saved_tensors
        pairs = zip(parameters, ctx.sums, strict=True)
        gradients = [
            torch.zeros_like(parameter) if parameter is not None and sums is None else sums
            for parameter, sums in [*pairs][:-1]
        ]
        embedding_BTD = parameters[-1]
        gradients.append(None if embedding_BTD is None else empty_like(embedding_BTD))  # overwritten
        dx_BTD = empty_like(x_BTD)
        kernels().block_backward(
            _arrays(parameters),
            ctx.settings,
            as_array(x_BTD),
            as_array(saved),
            as_array(grad_BTD.contiguous()),
            _arrays(gradients),
            as_array(dx_BTD),
        )
        pairs = zip(gradients, ctx.sums, strict=True)
        returned = (gradient if sums is None else None for gradient, sums in pairs)
        return dx_BTD, None, None, None, None, None, *returned


def _arrays(tensors: Iterable[Tensor | None]) -> list[Any]:
    return [None if x is None else as_array(x) for x in tensors]


def _angles(cos: Tensor | None, sin: Tensor | None) -> tuple[Any, Any] | None:
    if cos is None or sin is None:
        return None
    return as_array(cos.contiguous()), as_array(sin.contiguous())
