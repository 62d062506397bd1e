"""Semi-orthogonal matrices by Newton-Schulz iterations."""

from jaxtyping import Float
from torch import Tensor, linalg

from homespun.kernels import as_array, empty, is_for_kernels, kernels

_JORDAN = (3.4445, -4.7750, 2.0315)
"""Jordan's quintic: a slope at 0 as steep as the band around 1 allows, rather than convergence to 1."""

POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""Each step's quintic is the nearest to 1 on the band that the steps before leave of [0.001, 1]; the last repeats."""
_SAFETY = 1.01
"""Singular values of 1 / 1.01 at most, and quintics scaled alike: rounding must not leave the band, or it grows."""


def orthogonalize(
    matrices: Float[Tensor, "n rows columns"], num_steps: int = 5, *, polar_express: bool = False
) -> Float[Tensor, "n rows columns"]:
    """Return about U V^T for each matrix U S V^T, without a singular value decomposition.

        X = M / |M|;  repeat: A = X X^T;  X = a X + (b A + c A A) X

    Each iteration maps every singular value s of X to a s + b s^3 + c s^5. With Jordan's (3.4445, -4.7750, 2.0315) five
    bring those between 0.01 and 1 into the band 0.68 ... 1.14; they need not be 1 for a step to be a good one. With
    `polar_express` a, b and c change from step to step so that the band narrows as fast as it can: five bring those
    between 0.001 and 1 into 0.84 ... 1.13, and eight to 1. Products are bfloat16 on a GPU, as in the sources, where
    they are far faster and the band hides their rounding; else in the input's dtype.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; Amsel et al. 2025 (Polar Express),
        arXiv:2505.16932, algorithm 1 and its stabilization.
    """
    x = matrices / (linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True) + 1e-7)
    if x.is_cuda:
        x = x.bfloat16()
    # Of X X^T and X^T X the smaller is multiplied.
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT.contiguous()
    for a, b, c in quintics(num_steps, polar_express=polar_express):
        gram = _products(x, x, transposes_right=True)
        x = a * x + _products(b * gram + c * _products(gram, gram), x)
    return (x.mT if is_tall else x).to(matrices.dtype)


def quintics(num_steps: int, *, polar_express: bool) -> list[tuple[float, float, float]]:
    """Return the coefficients a, b, c of each iteration."""
    if not polar_express:
        return [_JORDAN] * num_steps
    converged = len(POLAR_EXPRESS) - 1
    found = []
    for step in range(num_steps):
        a, b, c = POLAR_EXPRESS[min(step, converged)]
        # The first by its square: matrices come scaled to a norm of 1, rather than of 1 / 1.01.
        margin = 1.0 if step >= converged else _SAFETY**2 if step == 0 else _SAFETY
        found.append((a / margin, b / margin**3, c / margin**5))
    return found


def _products(left: Tensor, right: Tensor, *, transposes_right: bool = False) -> Tensor:
    """Return the product of each pair of matrices, or with the transposed right one."""
    if not is_for_kernels(left) or not is_for_kernels(right):
        return left @ (right.mT if transposes_right else right)
    products = empty(*left.shape[:-1], right.shape[-2 if transposes_right else -1])
    for arrays in zip(*map(as_array, (left, right, products)), strict=True):
        a, b, product = arrays
        kernels().multiply(a, False, b, transposes_right, product, False)
    return products
