"""What is done to each vector or number: norm, gate, rotation.

k channel pairs of a head, K / 2
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.kernels import as_array, empty, empty_like, kernels
from homespun.model.ops import eager
from homespun.model.ops.gradients import gradient_sum
from homespun.model.ops.reference import Activation


def rms_norm(x: Float[Tensor, "... D"], weight: Float[Tensor, " D"], eps: float) -> Float[Tensor, "... D"]:
    """Return x / sqrt(mean(x**2) + eps) * weight."""
    return _RMSNorm.apply(x, weight, eps)


def silu(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return x * sigmoid(x)."""
    # torch's own has other bits at the end of a tensor, so that they depend on its size.
    return _Activation.apply("silu", x)


def relu_squared(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return max(x, 0)^2."""
    return _Activation.apply("relu_squared", x)


def silu_gate(a: Float[Tensor, "*B F"], b: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
    """Return silu(a) * b."""
    return _SiLUGate.apply(a, b)


def rotate_pairs(
    x: Float[Tensor, "*B T K"], cos: Float[Tensor, "*#B T k"], sin: Float[Tensor, "*#B T k"]
) -> Float[Tensor, "*B T K"]:
    """Rotate channel pairs (0, 1), (2, 3), ... of each vector by its position's angles."""
    # Sequences with positions of their own are short: generation has them.
    if x.ndim != 4 or cos.ndim != 2:
        return eager.rotate_pairs(x, cos, sin)
    return _RotatePairs.apply(x, cos, sin)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.sum = gradient_sum(weight, "rms_norm")
        x = x.contiguous()
        y, inverse_rms = empty_like(x), empty(*x.shape[:-1])
        kernels().normalize(as_array(x), as_array(weight), eps, as_array(y), as_array(inverse_rms))
        ctx.save_for_backward(x, weight, inverse_rms)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor | None, None]:
        x, weight, inverse_rms = ctx.saved_tensors
        dx = empty_like(x)
        dweight = torch.zeros_like(weight) if ctx.sum is None else ctx.sum
        kernels().normalize_backward(*map(as_array, (grad.contiguous(), x, weight, inverse_rms, dx, dweight)))
        return dx, dweight if ctx.sum is None else None, None


class _SiLUGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        a, b = a.contiguous(), b.contiguous()
        out = empty_like(a)
        kernels().silu_gate(as_array(a), as_array(b), as_array(out))
        ctx.save_for_backward(a, b)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        da, db = empty_like(a), empty_like(b)
        kernels().silu_gate_backward(*map(as_array, (grad.contiguous(), a, b, da, db)))
        return da, db


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, name: Activation, x: Tensor) -> Tensor:
        x = x.contiguous()
        out = empty_like(x)
        kernels().activate(name, as_array(x), as_array(out))
        ctx.name = name
        ctx.save_for_backward(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        dx = empty_like(x)
        kernels().activate_backward(ctx.name, as_array(grad.contiguous()), as_array(x), as_array(dx))
        return None, dx


class _RotatePairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BHTK: Tensor, cos_Tk: Tensor, sin_Tk: Tensor) -> Tensor:
        ctx.save_for_backward(cos_Tk, sin_Tk)
        return _rotate(x_BHTK, cos_Tk, sin_Tk)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BHTK: Tensor
    ) -> tuple[Tensor, None, None]:
        cos_Tk, sin_Tk = ctx.saved_tensors
        return _rotate(grad_BHTK, cos_Tk, -sin_Tk), None, None


def _rotate(x_BHTK: Tensor, cos_Tk: Tensor, sin_Tk: Tensor) -> Tensor:
    x_BTHK = x_BHTK.transpose(1, 2).contiguous()
    y_BTHK = empty_like(x_BTHK)
    kernels().rotate(*map(as_array, (x_BTHK, cos_Tk.contiguous(), sin_Tk.contiguous(), y_BTHK)))
    return y_BTHK.transpose(1, 2)
