"""In which precision sums are taken."""

import torch
from torch import Tensor


def widen(x: Tensor) -> Tensor:
    """Return `x` in float32 at least: 16-bit formats have too few significant bits to sum many terms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
