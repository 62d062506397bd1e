"""The legend of tensor axes. A file that needs further letters, or other meanings, says so in its own first lines.

B batch   T position in the sequence (queries)   S position attended to (keys)   D model width
V vocabulary   H heads   K width of one head   F feed-forward width
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

TokensBT = Int[Tensor, "B T"]
HiddenBTD = Float[Tensor, "B T D"]
LogitsBTV = Float[Tensor, "B T V"]

# Where a layer keeps its parameters, as PyTorch's constructors take it; None for torch's default.
Device = torch.device | str | None
Dtype = torch.dtype | None
