"""Bounding the global norm of the gradients."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor


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
    gradients = [p.grad for p in params if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    wide = torch.promote_types(gradients[0].dtype, torch.float32)
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients, dtype=wide)))
    if max_norm != float("inf"):
        torch._foreach_mul_(gradients, (max_norm / (norm + eps)).clamp(max=1.0))
    return norm
