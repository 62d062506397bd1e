"""The one legend of tensor axes: a letter means the same in every file.

B batch   T position in the sequence (queries)   S position looked at (keys)   D model width
V vocabulary   H heads   K width of one head   F feed-forward width
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

TokensBT = Int[Tensor, "B T"]
HiddenBTD = Float[Tensor, "B T D"]
LogitsBTV = Float[Tensor, "B T V"]
MaskTS = Bool[Tensor, "T S"]
