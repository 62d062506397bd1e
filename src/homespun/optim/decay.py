"""Weight decay by the direction of the step: shared by the optimizers that have it."""

# pyright: reportPrivateImportUsage=false
# torch._foreach_* are private by name only: one launch for many tensors, and there is no public way to ask for it.

from collections.abc import Sequence

import torch
from torch import Tensor


def decay_cautiously(values: Sequence[Tensor], directions: Sequence[Tensor], amount: float) -> None:
    """Shrink by `amount` the weights that the step moves towards zero as well; leave the others as they are.

        w -= amount * w   where w * direction >= 0, and w -= lr * direction follows

    Where the step grows a weight, the loss asks for more of it, and decay would work against it.

    Source: Chen et al. 2025, arXiv:2510.12402, algorithm 1.
    """
    agreeing = torch._foreach_mul([*values], [*directions])
    decaying = [value * (product >= 0) for value, product in zip(values, agreeing, strict=True)]
    torch._foreach_add_([*values], decaying, alpha=-amount)
