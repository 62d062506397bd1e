"""The output head and cross-entropy in one.

N tokens of all sequences
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.kernels import as_array, empty, empty_like, kernels, uses_bfloat16
from homespun.model.ops.gradients import gradient_sum
from homespun.model.ops.reference import Reduction

_UNITS = 2.0**24
"""Losses are summed in float64 as multiples of 1 / 2^24 nats: exactly, so that no order changes a bit."""


def linear_cross_entropy(
    hidden_ND: Float[Tensor, "N D"],
    weight_VD: Float[Tensor, "V D"],
    targets_N: Int[Tensor, " N"],
    reduction: Reduction = "mean",
    *,
    softcap: float | None = None,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the logits `hidden @ weight.T`, in nats; a sum in float64.

    With `softcap` the logits are c tanh(logits / c).

    Gradients are computed along with the loss and only scaled in the backward pass, unless gradients are off. Where a
    batch's gradients are summed in place (`GradientSums`), the weight's is added with the loss, whose own must be 1.
    """
    return _LinearCrossEntropy.apply(hidden_ND, weight_VD, targets_N, reduction, softcap, torch.is_grad_enabled())


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        reduction: Reduction,
        softcap: float | None,
        with_gradients: bool,
    ) -> Tensor:
        ctx.sum = gradient_sum(weight_VD, "linear_cross_entropy") if with_gradients else None
        hidden_ND, weight_VD = hidden_ND.contiguous(), weight_VD.contiguous()
        losses_N = empty(len(targets_N))
        ids_N = targets_N.long().contiguous()
        inputs = (as_array(hidden_ND), as_array(weight_VD), as_array(ids_N), as_array(losses_N))
        if with_gradients:
            scale = 1.0 if reduction == "sum" else 1 / len(targets_N)
            dhidden_ND = empty_like(hidden_ND)
            dweight_VD = torch.zeros_like(weight_VD) if ctx.sum is None else ctx.sum
            gradients = (as_array(dhidden_ND), as_array(dweight_VD))
            kernels().head_loss(*inputs, scale, *gradients, uses_bfloat16(), softcap)
            ctx.save_for_backward(dhidden_ND, *(() if ctx.sum is not None else (dweight_VD,)))
        else:
            kernels().head_loss(*inputs, 0.0, None, None, uses_bfloat16(), softcap)
        total = (losses_N.double() * _UNITS).round_().sum() / _UNITS
        return total if reduction == "sum" else (total / len(targets_N)).float()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        dhidden_ND, *dweight_VD = ctx.saved_tensors
        factor = grad.item()
        if factor != 1.0:
            assert ctx.sum is None, "gradients that are summed in place are those of the loss itself"
            dhidden_ND, *dweight_VD = dhidden_ND * factor, *(gradient * factor for gradient in dweight_VD)
        return dhidden_ND, *(dweight_VD or [None]), None, None, None, None
