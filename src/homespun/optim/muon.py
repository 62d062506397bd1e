"""Momentum orthogonalized by Newton-Schulz iterations, for matrices."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.errors import ConfigError
from homespun.kernels import as_array, is_for_kernels, kernels
from homespun.optim.decay import decay_cautiously
from homespun.optim.optimizer import GroupedOptimizer

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Jordan's quintic: a slope at 0 as steep as the band around 1 allows, rather than convergence to 1."""
_RMS_OF_ADAMW = 0.2


class Muon(GroupedOptimizer):
    """Update by the semi-orthogonal matrix nearest to the momentum: all directions are learned at the same rate.

        m  = momentum * m + (1 - momentum) * gradient
        d  = momentum * m + (1 - momentum) * gradient        (Nesterov)
        p *= 1 - lr * weight_decay
        p -= lr * 0.2 * sqrt(max(rows, columns)) * orthogonalize(d)

    The factor 0.2 * sqrt(max(rows, columns)) is Moonlight's: it gives a step the root mean square of AdamW's, so that
    AdamW's learning rate and weight decay can be used; Jordan's sqrt(max(1, rows / columns)) needs its own. Meant for
    the matrices inside the blocks: embeddings, head and gains are better left to AdamW.

    Settings are those of `MuonConfig`; a group of parameters may have its own.

    Raises:
        ConfigError: a setting is out of its range, or a parameter is no matrix.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; Liu et al. 2025 (Moonlight),
    arXiv:2502.16982, eq. 4.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.95,
        newton_schulz_steps: int = 5,
        weight_decay: float = 0.1,
        cautious_decay: bool = False,
    ) -> None:
        settings = {"momentum": momentum, "newton_schulz_steps": newton_schulz_steps, "weight_decay": weight_decay}
        settings["cautious_decay"] = cautious_decay
        super().__init__(params, {"kind": "muon", "lr": lr, **settings})
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if parameter.ndim != 2:
                raise ConfigError(
                    f"params: a parameter of shape {tuple(parameter.shape)} has {parameter.ndim} axes, and Muon "
                    "updates matrices only; give it to AdamW"
                )


def initial_state(parameter: Tensor) -> dict[str, Tensor]:
    """Return a parameter's momentum."""
    return {"momentum": torch.zeros_like(parameter, dtype=torch.promote_types(parameter.dtype, torch.float32))}


def update(
    parameters: list[Tensor],
    gradients: list[Tensor],
    states: list[dict[str, Tensor]],
    group: Mapping[str, Any],
    gradient_scale: float = 1.0,
) -> None:
    """Take one step of Muon."""
    lr, momentum = group["lr"], group["momentum"]
    means = [state["momentum"] for state in states]
    if is_for_kernels(*parameters, *gradients, *means):
        # All matrices in one call, each on one of the threads.
        arrays = ([as_array(x) for x in tensors] for tensors in (parameters, gradients, means))
        steps = [lr * _RMS_OF_ADAMW * sqrt(max(parameter.shape)) for parameter in parameters]
        coefficients = [(_A, _B, _C)] * group["newton_schulz_steps"]
        state = [*zip(*arrays, steps, strict=True)]
        decay, is_cautious = lr * group["weight_decay"], bool(group.get("cautious_decay"))
        kernels().muon(state, momentum, coefficients, decay, gradient_scale, is_cautious)
        return
    by_shape: dict[object, list[int]] = {}
    for index, parameter in enumerate(parameters):
        by_shape.setdefault((parameter.shape, parameter.dtype, parameter.device), []).append(index)
    for indices in by_shape.values():
        alike = [parameters[index] for index in indices]
        means = [states[index]["momentum"] for index in indices]
        wide = [gradients[index].to(means[0].dtype) * gradient_scale for index in indices]
        torch._foreach_lerp_(means, wide, 1 - momentum)
        directions = torch._foreach_lerp(wide, means, momentum)
        # Matrices of one shape are orthogonalized by one batched product: a model has many, and small ones are slow.
        steps = orthogonalize(torch.stack(directions), group["newton_schulz_steps"]).to(alike[0].dtype)
        if group.get("cautious_decay"):
            decay_cautiously(alike, list(steps), lr * group["weight_decay"])
        else:
            torch._foreach_mul_(alike, 1 - lr * group["weight_decay"])
        torch._foreach_add_(alike, list(steps), alpha=-lr * _RMS_OF_ADAMW * sqrt(max(alike[0].shape)))


def orthogonalize(matrices: Float[Tensor, "n rows columns"], num_steps: int = 5) -> Float[Tensor, "n rows columns"]:
    """Return about U V^T for each matrix U S V^T, without a singular value decomposition.

        X = M / |M|;  repeat: A = X X^T;  X = 3.4445 X + (-4.7750 A + 2.0315 A A) X

    Each iteration maps every singular value s of X to 3.4445 s - 4.7750 s^3 + 2.0315 s^5. Five bring those between
    0.01 and 1 into the band 0.68 ... 1.14; they need not be 1 for a step to be a good one. Products are bfloat16 on
    a GPU, as in the source, where they are far faster and the band hides their rounding; else in the input's dtype.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon.
    """
    x = matrices / (torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True) + 1e-7)
    if x.is_cuda:
        x = x.bfloat16()
    # Of X X^T and X^T X the smaller is multiplied.
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT.contiguous()
    for _ in range(num_steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * (gram @ gram)) @ x
    return (x.mT if is_tall else x).to(matrices.dtype)
