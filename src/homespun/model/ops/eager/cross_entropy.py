"""The output head and cross-entropy in one, a few rows of logits at a time.

The reference's logits are the largest tensor of a small model: tokens x vocabulary, written and read several times.
Here a tile of them is computed, turned into losses and, while it is still in the cache, into its share of the
gradients; then the next tile takes its memory.

N tokens of all sequences   R tokens of one tile
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from homespun.model.ops.reference import Reduction, widen

BYTES_PER_TILE = 16 * 2**20
"""Logits held at once, in float32: about half of a processor's last-level cache."""


def linear_cross_entropy(
    hidden_ND: Float[Tensor, "N D"],
    weight_VD: Float[Tensor, "V D"],
    targets_N: Int[Tensor, " N"],
    reduction: Reduction = "mean",
    *,
    softcap: float | None = None,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the logits `hidden @ weight.T`, in nats: the mean over tokens, or the sum.

    With `softcap` the logits are c tanh(logits / c).

    Gradients are computed along with the loss and only scaled in the backward pass, unless gradients are off.
    """
    device_type = hidden_ND.device.type
    dtype = torch.get_autocast_dtype(device_type) if torch.is_autocast_enabled(device_type) else hidden_ND.dtype
    count = hidden_ND.shape[0] if reduction == "mean" else 1
    return _LinearCrossEntropy.apply(hidden_ND, weight_VD, targets_N, dtype, count, softcap, torch.is_grad_enabled())


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        targets_N: Tensor,
        dtype: torch.dtype,
        count: int,
        softcap: float | None,
        with_gradients: bool,
    ) -> Tensor:
        num_tokens, vocab_size = hidden_ND.shape[0], weight_VD.shape[0]
        x_ND, w_VD = hidden_ND.to(dtype), weight_VD.to(dtype)
        # Every tile adds to the weight's gradient, in float32 at least; each row of the input's is written once.
        dx_ND, dw_VD = torch.empty_like(x_ND), torch.zeros_like(widen(weight_VD))
        rows = min(num_tokens, max(1, BYTES_PER_TILE // (4 * vocab_size)))
        losses, logits = [], torch.empty(rows, vocab_size, dtype=dtype, device=x_ND.device)
        for start in range(0, num_tokens, rows):
            tile = slice(start, start + rows)
            target_R1 = targets_N[tile].unsqueeze(-1)
            logits_RV = widen(torch.mm(x_ND[tile], w_VD.T, out=logits[: target_R1.shape[0]]))
            tanh_RV = None
            if softcap is not None:
                tanh_RV = logits_RV.div_(softcap).tanh_()
                logits_RV = tanh_RV * softcap
            max_R1 = logits_RV.amax(dim=-1, keepdim=True)
            # Read before the next line overwrites the logits.
            chosen_R1 = logits_RV.gather(-1, target_R1) - max_R1
            exp_RV = logits_RV.sub_(max_R1).exp_()
            sum_R1 = exp_RV.sum(dim=-1, keepdim=True)
            losses.append((sum_R1.log() - chosen_R1).sum())
            if with_gradients:
                # d loss / d logits = (softmax - one_hot(target)) / count
                grad_RV = exp_RV.mul_(1 / (sum_R1 * count))
                grad_RV.scatter_add_(-1, target_R1, torch.full_like(sum_R1, -1 / count))
                if tanh_RV is not None:
                    # d c tanh(x / c) / dx = 1 - tanh(x / c)^2
                    grad_RV.mul_(tanh_RV.square_().neg_().add_(1))
                grad_RV = grad_RV.to(dtype)
                torch.mm(grad_RV, w_VD, out=dx_ND[tile])
                # addmm_ needs one dtype; a 16-bit product is added to the float32 sum.
                dw_VD.addmm_(grad_RV.T, x_ND[tile]) if dtype == dw_VD.dtype else dw_VD.add_(grad_RV.T @ x_ND[tile])
        if with_gradients:
            ctx.save_for_backward(dx_ND.to(hidden_ND.dtype), dw_VD.to(weight_VD.dtype))
        return torch.stack(losses).sum() / count

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] # the decorator hides its parameters
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        dx_ND, dw_VD = ctx.saved_tensors
        return dx_ND * grad, dw_VD * grad, None, None, None, None, None
