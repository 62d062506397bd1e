"""Bounding the global norm of the gradients."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Iterable, Sequence
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.kernels import as_array, is_for_kernels, kernels


@torch.no_grad()
def clip_gradients(params: Iterable[Tensor], max_norm: float, eps: float = 1e-6) -> Float[Tensor, ""]:
    """Scale all gradients in place so that their joint l2 norm is at most `max_norm`; return the norm before.

        gradient *= min(1, max_norm / (norm + eps))

    Gradients are never enlarged, parameters without one are skipped. The caller must check that the norm is finite: an
    infinite one turns finite gradients into 0 and infinite ones into NaN, and NaN turns all into NaN. The norm is
    computed in float32 at least, and stays on the gradients' device, so nothing waits for it.

    Args:
        params: The parameters; their gradients must lie on one device.
        max_norm: `math.inf` only measures.
        eps: Keeps the quotient finite where all gradients are zero.

    Source: Pascanu et al. 2012, arXiv:1211.5063, algorithm 1.
    """
    params = list(params)
    norm = torch.linalg.vector_norm(gradient_norms(params))
    gradients = [p.grad for p in params if p.grad is not None]
    if gradients and max_norm != float("inf"):
        torch._foreach_mul_(gradients, (max_norm / (norm + eps)).clamp(max=1.0))
    return norm


@torch.no_grad()
def gradient_norms(params: Sequence[Tensor]) -> Float[Tensor, " P"]:
    """Return the l2 norm of each parameter's gradient, 0 where it has none.

    Any joint norm is the norm of these, so a caller who asks for several reads the gradients once.
    """
    gradients = [p.grad for p in params if p.grad is not None]
    if not gradients:
        return torch.zeros(len(params))
    if is_for_kernels(*gradients):
        sums = iter(kernels().sums_of_squares([as_array(gradient) for gradient in gradients]))
        return torch.tensor([0.0 if p.grad is None else sqrt(next(sums)) for p in params])
    wide = torch.promote_types(gradients[0].dtype, torch.float32)
    found = iter(torch._foreach_norm(gradients, dtype=wide))
    zero = gradients[0].new_zeros((), dtype=wide)
    return torch.stack([zero if p.grad is None else next(found) for p in params])


def clip_factor(norm: float, max_norm: float, eps: float = 1e-6) -> float:
    """Return what `clip_gradients` multiplies gradients of that joint norm by."""
    return min(1.0, max_norm / (norm + eps))
