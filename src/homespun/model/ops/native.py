"""Operations in Rust, on the memory of float32 tensors on the CPU, each with its backward pass.

Every element is computed by one thread and every sum has a fixed order, so that results have the same bits for any
number of threads. docs/design/kernels.md describes the kernels. They do not support double backward; the reference
does.

d_in, d_out widths of a matrix's input and output   k channel pairs of a head, K / 2   N tokens of all sequences
"""

import os
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun import _native
from homespun.model.ops import eager, reference

MIN_ROWS = 32
"""Vectors from which on a product is worth packing its matrix for."""

MIN_QUERIES = 16
"""Fewer new positions of a cached sequence are left to the reference: keys and values would be packed for them."""


def linear(x: Float[Tensor, "... d_in"], weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "... d_out"]:
    """Return x W^T."""
    if x.shape[:-1].numel() < MIN_ROWS:
        return reference.linear(x, weight)
    return _Linear.apply(x, weight)


def embedding(table_VD: Float[Tensor, "V D"], ids: Int[Tensor, "..."]) -> Float[Tensor, "... D"]:
    """Return the row of each id."""
    return _Embedding.apply(table_VD, ids)


def rms_norm(x: Float[Tensor, "... D"], weight: Float[Tensor, " D"], eps: float) -> Float[Tensor, "... D"]:
    """Return x / sqrt(mean(x**2) + eps) * weight."""
    return _RMSNorm.apply(x, weight, eps)


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


def causal_attention(
    q_BHTK: Float[Tensor, "B H T K"], k_BHSK: Float[Tensor, "B H S K"], v_BHSK: Float[Tensor, "B H S K"]
) -> Float[Tensor, "B H T K"]:
    """Attend from each of the last T of S positions to itself and the positions before it."""
    if q_BHTK.shape[2] < min(MIN_QUERIES, k_BHSK.shape[2]):
        return reference.causal_attention(q_BHTK, k_BHSK, v_BHSK)
    return _CausalAttention.apply(q_BHTK, k_BHSK, v_BHSK)


def linear_cross_entropy(
    hidden_ND: Float[Tensor, "N D"], weight_VD: Float[Tensor, "V D"], targets_N: Int[Tensor, " N"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the logits `hidden @ weight.T`, in nats.

    Gradients are computed along with the loss and only scaled in the backward pass, unless gradients are off.
    """
    return _LinearCrossEntropy.apply(hidden_ND, weight_VD, targets_N, torch.is_grad_enabled())


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        y = x.new_empty(*x.shape[:-1], weight.shape[0])
        _kernels().multiply(_array(x), False, _array(weight), True, _array(y), False)
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
            dx = torch.empty_like(x)
            _kernels().multiply(_array(grad), False, _array(weight), False, _array(dx), False)
        if ctx.needs_input_grad[1]:
            dweight = torch.empty_like(weight)
            _kernels().multiply(_array(grad), True, _array(x), False, _array(dweight), False)
        return dx, dweight


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table_VD: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.table = table_VD.shape
        return reference.embedding(table_VD, ids)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        dtable_VD = grad.new_zeros(ctx.table)
        _kernels().add_rows(_array(ids.long().contiguous()), _array(grad.contiguous()), _array(dtable_VD))
        return dtable_VD, None


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x = x.contiguous()
        y, inverse_rms = torch.empty_like(x), x.new_empty(x.shape[:-1])
        _kernels().normalize(_array(x), _array(weight), eps, _array(y), _array(inverse_rms))
        ctx.save_for_backward(x, weight, inverse_rms)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse_rms = ctx.saved_tensors
        dx, dweight = torch.empty_like(x), torch.zeros_like(weight)
        _kernels().normalize_backward(*map(_array, (grad.contiguous(), x, weight, inverse_rms, dx, dweight)))
        return dx, dweight, None


class _SiLUGate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        a, b = a.contiguous(), b.contiguous()
        out = torch.empty_like(a)
        _kernels().silu_gate(_array(a), _array(b), _array(out))
        ctx.save_for_backward(a, b)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        da, db = torch.empty_like(a), torch.empty_like(b)
        _kernels().silu_gate_backward(*map(_array, (grad.contiguous(), a, b, da, db)))
        return da, db


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
    y_BTHK = torch.empty_like(x_BTHK)
    _kernels().rotate(*map(_array, (x_BTHK, cos_Tk.contiguous(), sin_Tk.contiguous(), y_BTHK)))
    return y_BTHK.transpose(1, 2)


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q_BHTK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor) -> Tensor:
        # As projections make them, so that this copies nothing.
        q_BTHK, k_BSHK, v_BSHK = (x.transpose(1, 2).contiguous() for x in (q_BHTK, k_BHSK, v_BHSK))
        out_BTHK, logsumexp_BTH = torch.empty_like(q_BTHK), q_BTHK.new_empty(q_BTHK.shape[:3])
        tensors = (q_BTHK, k_BSHK, v_BSHK, out_BTHK, logsumexp_BTH)
        _kernels().attention(*map(_array, tensors))
        ctx.save_for_backward(*tensors)
        return out_BTHK.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad_BHTK: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        saved = ctx.saved_tensors
        dq, dk, dv = (torch.empty_like(x) for x in saved[:3])
        grad_BTHK = grad_BHTK.transpose(1, 2).contiguous()
        _kernels().attention_backward(*map(_array, (grad_BTHK, *saved, dq, dk, dv)))
        return dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, with_gradients: bool) -> Tensor:
        hidden_ND, weight_VD = hidden_ND.contiguous(), weight_VD.contiguous()
        losses_N = hidden_ND.new_empty(len(targets_N))
        inputs = (_array(hidden_ND), _array(weight_VD), _array(targets_N.long().contiguous()), _array(losses_N))
        if with_gradients:
            dhidden_ND, dweight_VD = torch.empty_like(hidden_ND), torch.zeros_like(weight_VD)
            _kernels().head_loss(*inputs, 1 / len(targets_N), _array(dhidden_ND), _array(dweight_VD))
            ctx.save_for_backward(dhidden_ND, dweight_VD)
        else:
            _kernels().head_loss(*inputs, 0.0, None, None)
        return losses_N.mean()

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        dhidden_ND, dweight_VD = ctx.saved_tensors
        return dhidden_ND * grad, dweight_VD * grad, None, None


def _kernels() -> _native.Kernels:
    """Return the kernels, on as many threads as torch uses now, of this process: a fork has no threads but its own."""
    return _kernels_of(torch.get_num_threads(), os.getpid())


@cache
def _kernels_of(num_threads: int, _process: int) -> _native.Kernels:
    return _native.Kernels(num_threads)


def _array(x: Tensor) -> Any:
    """Return a NumPy array of the tensor's memory."""
    return x.detach().numpy()
