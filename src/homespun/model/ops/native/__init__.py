"""Operations in Rust, on the memory of float32 tensors on the CPU, each with its backward pass.

Every element is computed by one thread and every sum has a fixed order, so that results have the same bits for any
number of threads. docs/design/kernels.md describes the kernels. They do not support double backward; the reference
does.
"""

from homespun.model.ops.native.attention import causal_attention as causal_attention
from homespun.model.ops.native.block import block as block
from homespun.model.ops.native.elementwise import relu_squared as relu_squared
from homespun.model.ops.native.elementwise import rms_norm as rms_norm
from homespun.model.ops.native.elementwise import rotate_pairs as rotate_pairs
from homespun.model.ops.native.elementwise import silu as silu
from homespun.model.ops.native.elementwise import silu_gate as silu_gate
from homespun.model.ops.native.loss import linear_cross_entropy as linear_cross_entropy
from homespun.model.ops.native.residual import scaled_sum as scaled_sum
from homespun.model.ops.native.tables import embedding as embedding
from homespun.model.ops.native.tables import linear as linear
