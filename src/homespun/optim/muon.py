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
from homespun.optim.config import MuonScale
from homespun.optim.decay import decay_cautiously
from homespun.optim.optimizer import GroupedOptimizer
from homespun.optim.orthogonal import orthogonalize, quintics

_RMS_OF_ADAMW = 0.2
_ROW_EPS = 1e-8
"""Added to the root mean square of a row, as `AdamWConfig.eps` is."""


class Muon(GroupedOptimizer):
    """Update by the semi-orthogonal matrix nearest to the momentum: all directions are learned at the same rate.

        m  = momentum * m + (1 - momentum) * gradient
        d  = momentum * m + (1 - momentum) * gradient        (Nesterov)
        p *= 1 - lr * weight_decay
        p -= lr * 0.2 * sqrt(max(rows, columns)) * orthogonalize(d)

    The factor 0.2 * sqrt(max(rows, columns)) is Moonlight's: it gives a step the root mean square of AdamW's, so that
    AdamW's learning rate and weight decay can be used; `scale="jordan"` takes Jordan's sqrt(max(1, rows / columns))
    instead, which needs its own. Meant for the matrices inside the blocks: embeddings, head and gains are better left
    to AdamW.

    With `normalize_rows` each row of the orthogonalized matrix O is divided by the root of a running mean v of its mean
    square, and the whole scaled back to the norm of O: rows are the weights of one neuron, and O's differ in length.

        v = row_beta * v + (1 - row_beta) * mean(O**2)     of each row
        O = |O| R / |R|     with R = O / (sqrt(v) + eps)

    Settings are those of `MuonConfig`; a group of parameters may have its own.

    Raises:
        ConfigError: a setting is out of its range, or a parameter is no matrix.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; Liu et al. 2025 (Moonlight),
    arXiv:2502.16982, eq. 4. Rows: Li et al. 2025 (NorMuon), arXiv:2510.05491, algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.95,
        newton_schulz_steps: int = 5,
        weight_decay: float = 0.1,
        cautious_decay: bool = False,
        *,
        polar_express: bool = False,
        normalize_rows: bool = False,
        row_beta: float = 0.95,
        scale: MuonScale = "adamw",
    ) -> None:
        settings = {
            "momentum": momentum,
            "newton_schulz_steps": newton_schulz_steps,
            "weight_decay": weight_decay,
            "cautious_decay": cautious_decay,
            "polar_express": polar_express,
            "normalize_rows": normalize_rows,
            "row_beta": row_beta,
            "scale": scale,
        }
        super().__init__(params, {"kind": "muon", "lr": lr, **settings})
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if parameter.ndim != 2:
                raise ConfigError(
                    f"params: a parameter of shape {tuple(parameter.shape)} has {parameter.ndim} axes, and Muon "
                    "updates matrices only; give it to AdamW"
                )


def initial_state(parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a parameter's momentum, and the mean squares of its rows where they are normalized."""
    wide = torch.promote_types(parameter.dtype, torch.float32)
    state = {"momentum": torch.zeros_like(parameter, dtype=wide)}
    if group.get("normalize_rows"):
        state["row_squares"] = torch.zeros_like(parameter[:, :1], dtype=wide)
    return state


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
    scale, polar_express = group.get("scale", "adamw"), bool(group.get("polar_express"))
    rows = [state.get("row_squares") for state in states]
    if is_for_kernels(*parameters, *gradients, *means):
        # All matrices in one call, each on one of the threads.
        arrays = ([as_array(x) for x in tensors] for tensors in (parameters, gradients, means))
        steps = [lr * _scale(scale, *parameter.shape) for parameter in parameters]
        coefficients = quintics(group["newton_schulz_steps"], polar_express=polar_express)
        squares = (as_array(x) if x is not None and group.get("normalize_rows") else None for x in rows)
        state = [*zip(*arrays, squares, steps, strict=True)]
        decay, is_cautious = lr * group["weight_decay"], bool(group.get("cautious_decay"))
        kernels().muon(state, momentum, coefficients, decay, gradient_scale, is_cautious, group.get("row_beta", 0.0))
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
        steps = orthogonalize(torch.stack(directions), group["newton_schulz_steps"], polar_express=polar_express)
        if group.get("normalize_rows"):
            _normalize_rows(steps, [states[index]["row_squares"] for index in indices], group["row_beta"])
        steps = steps.to(alike[0].dtype)
        if group.get("cautious_decay"):
            decay_cautiously(alike, list(steps), lr * group["weight_decay"])
        else:
            torch._foreach_mul_(alike, 1 - lr * group["weight_decay"])
        torch._foreach_add_(alike, list(steps), alpha=-lr * _scale(scale, *alike[0].shape))


def _normalize_rows(matrices: Float[Tensor, "n rows columns"], squares: list[Tensor], beta: float) -> None:
    """Even out the rows' lengths, in place, by the running means `squares` of their mean squares."""
    means = matrices.square().mean(dim=-1, keepdim=True)
    torch._foreach_lerp_(squares, list(means), 1 - beta)
    factors = 1 / (torch.stack(squares).sqrt() + _ROW_EPS)
    # What the norm was and what it becomes, by rows. A matrix of zeros stays one.
    before, after = (x.sum(dim=-2, keepdim=True) for x in (means, means * factors.square()))
    matrices.mul_(factors * (before / after.clamp(min=torch.finfo(after.dtype).tiny)).sqrt())


def _scale(scale: MuonScale, rows: int, columns: int) -> float:
    """Return the factor on an orthogonal step."""
    return _RMS_OF_ADAMW * sqrt(max(rows, columns)) if scale == "adamw" else sqrt(max(1.0, rows / columns))
