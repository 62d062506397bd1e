"""Oracle: the polar factor by singular value decomposition, and a step written out in float64."""

import pytest
import torch

from homespun.errors import ConfigError
from homespun.optim import Muon
from homespun.optim.muon import orthogonalize
from refusals import refuses


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 8, 5), (2, 4, 16), (1, 1, 7)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_orthogonalize_is_near_the_polar_factor(shape, scale):
    """Oracle: U, V of an SVD in float64: the result is U S' V^T, with S' in the band that five iterations reach.

    0.68 ... 1.14: the extremes over [0.01, 1] of the iterated polynomial, here with a margin for float32.
    """
    matrices = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, singular_values, v_transposed = torch.linalg.svd(matrices.double(), full_matrices=False)
    assert (singular_values / torch.linalg.vector_norm(singular_values, dim=-1, keepdim=True) > 0.01).all()
    rotated = u.mT @ orthogonalize(matrices).double() @ v_transposed.mT
    diagonal = rotated.diagonal(dim1=-2, dim2=-1)
    assert (diagonal > 0.67).all()
    assert (diagonal < 1.15).all()
    torch.testing.assert_close(rotated, torch.diag_embed(diagonal), rtol=0, atol=1e-4)


def test_the_band_of_five_iterations():
    """Oracle: the polynomial itself, iterated on singular values one by one."""
    s = torch.linspace(0.01, 1, 100_000, dtype=torch.float64)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    assert 0.67 < s.min() < s.max() < 1.15


def reference_step(parameter, gradient, mean, *, lr, momentum, weight_decay, cautious_decay=False):
    """One step by the formulas of Jordan 2024 and Liu et al. 2025, eq. 4, with the polynomial applied by an SVD."""
    mean = momentum * mean + (1 - momentum) * gradient
    direction = momentum * mean + (1 - momentum) * gradient
    u, s, v_transposed = torch.linalg.svd(direction, full_matrices=False)
    s = s / torch.linalg.vector_norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    update = 0.2 * max(parameter.shape) ** 0.5 * (u * s) @ v_transposed
    decaying = (update * parameter >= 0) if cautious_decay else 1
    return parameter * (1 - lr * weight_decay * decaying) - lr * update, mean


@pytest.mark.parametrize("switches", [{}, {"cautious_decay": True}])
def test_steps_equal_the_formulas(switches):
    """Oracle: `reference_step` in float64; 1e-4 is float32's rounding, amplified by five iterations of slope 3.4."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(6, 4), (4, 6), (6, 4)]
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    expected = [parameter.detach().double() for parameter in parameters]
    means = [torch.zeros_like(values) for values in expected]
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3, **switches}
    optimizer = Muon(parameters, **settings)
    for _ in range(4):
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            expected[index], means[index] = reference_step(
                expected[index], parameter.grad.double(), means[index], **settings
            )
        optimizer.step()
    for parameter, values in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach().double(), values, rtol=0, atol=1e-4)


def test_state_resumes_bit_for_bit():
    """Oracle: a run that was not interrupted."""

    def train(parameter, optimizer, steps):
        for _ in range(steps):
            parameter.grad = parameter.detach().sin()
            optimizer.step()

    start = torch.linspace(0, 3, 12).view(3, 4)
    whole, first = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    train(whole, Muon([whole], lr=0.3), 6)
    before = Muon([first], lr=0.3)
    train(first, before, 3)
    second = torch.nn.Parameter(first.detach().clone())
    after = Muon([second], lr=9.0)
    after.load_state_dict(before.state_dict())
    train(second, after, 3)
    assert torch.equal(second, whole)


def test_zero_gradients_and_narrow_parameters():
    """Derived by hand: no momentum, no direction; a bfloat16 matrix keeps its momentum in float32."""
    parameter = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16))
    parameter.grad = torch.zeros_like(parameter)
    optimizer = Muon([parameter], lr=0.5, weight_decay=0.5)
    optimizer.step()
    assert torch.equal(parameter, torch.full_like(parameter, 0.75))
    assert optimizer.state[parameter]["momentum"].dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "facts"),
    [({"lr": -1.0}, ("lr", -1.0)), ({"momentum": 1.0}, ("momentum", 1.0)), ({"weight_decay": -1.0}, ("weight_decay",))],
)
def test_bad_settings_are_refused(settings, facts):
    with refuses(ConfigError, *facts):
        Muon([torch.zeros(2, 2, requires_grad=True)], **settings)


def test_vectors_are_refused():
    with refuses(ConfigError, "(3,)", "1 axes"):
        Muon([torch.zeros(3, requires_grad=True)])
