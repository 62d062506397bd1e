"""Oracle: the polar factor by singular value decomposition, and a step written out in float64."""

import numpy as np
import pytest
import torch

from homespun.errors import ConfigError
from homespun.optim import Muon
from homespun.optim.orthogonal import POLAR_EXPRESS, orthogonalize
from refusals import refuses

ALL = {"cautious_decay": True, "polar_express": True, "normalize_rows": True, "scale": "jordan"}


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


def nearest_quintic(low, high):
    """The odd quintic nearest to 1 on [low, high], by Remez' exchange of the points where its error is greatest."""
    if low / high > 1 - 5e-6:  # where they coincide
        return 15 / 8 / high, -10 / 8 / high**3, 3 / 8 / high**5
    points = np.array([low, (3 * low + high) / 4, (low + 3 * high) / 4, high])
    error = None
    while True:
        powers = np.stack([points, points**3, points**5, [1, -1, 1, -1]], axis=1)
        a, b, c, new_error = np.linalg.solve(powers, np.ones(4))
        if error is not None and abs(new_error - error) < 1e-15:
            return a, b, c
        error = new_error
        points[1:3] = np.sqrt((-3 * b + np.array([-1, 1]) * np.sqrt(9 * b * b - 20 * a * c)) / (10 * c))


def test_polar_express_coefficients():
    """Oracle: Amsel et al. 2025, algorithm 1 with its cushion: each the nearest on the band left of [1e-3, 1]."""
    low, high = 1e-3, 1.0
    for step, found in enumerate(POLAR_EXPRESS):
        a, b, c = nearest_quintic(max(low, 0.02407327424182761 * high), high)
        at_low, at_high = (a * x + b * x**3 + c * x**5 for x in (low, high))
        centre = 2 / (at_low + at_high)
        low, high = centre * at_low, 2 - centre * at_low
        np.testing.assert_allclose(found, np.array([a, b, c]) * centre, rtol=1e-8, err_msg=str(step))


@pytest.mark.parametrize(("num_steps", "low", "high"), [(5, 0.84, 1.13), (6, 0.993, 1.002), (9, 0.9999, 1.0001)])
def test_polar_express_is_nearer_to_the_polar_factor(num_steps, low, high):
    """Oracle: U, V of an SVD in float64; the bands are the iterated polynomials' own for [0.001, 1]."""
    matrices = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(0))
    u, _, v_transposed = torch.linalg.svd(matrices.double(), full_matrices=False)
    rotated = u.mT @ orthogonalize(matrices, num_steps, polar_express=True).double() @ v_transposed.mT
    diagonal = rotated.diagonal(dim1=-2, dim2=-1)
    assert low < diagonal.min()
    assert diagonal.max() < high
    torch.testing.assert_close(rotated, torch.diag_embed(diagonal), rtol=0, atol=1e-4)


def reference_step(parameter, gradient, state, *, lr, momentum, weight_decay, **switches):
    """One step by the formulas of Jordan 2024 and Liu et al. 2025, eq. 4, with the polynomial applied by an SVD."""
    mean = state["mean"]
    mean = momentum * mean + (1 - momentum) * gradient
    direction = momentum * mean + (1 - momentum) * gradient
    u, s, v_transposed = torch.linalg.svd(direction, full_matrices=False)
    s = s / torch.linalg.vector_norm(s) / (1.01 if switches.get("polar_express") else 1)
    for step in range(5):
        a, b, c = 3.4445, -4.7750, 2.0315
        x = s
        if switches.get("polar_express"):
            (a, b, c), x = POLAR_EXPRESS[step], s / 1.01
        s = a * x + b * x**3 + c * x**5
    update = (u * s) @ v_transposed
    if switches.get("normalize_rows"):
        state["squares"] = 0.95 * state["squares"] + 0.05 * update.square().mean(dim=1)
        rows = update / state["squares"].sqrt()[:, None]
        update = rows * update.norm() / rows.norm()
    rows, columns = parameter.shape
    jordan = switches.get("scale") == "jordan"
    update = update * (max(1, rows / columns) ** 0.5 if jordan else 0.2 * max(rows, columns) ** 0.5)
    decaying = (update * parameter >= 0) if switches.get("cautious_decay") else 1
    state["mean"] = mean
    return parameter * (1 - lr * weight_decay * decaying) - lr * update


@pytest.mark.parametrize(
    "switches",
    [{}, {"cautious_decay": True}, {"polar_express": True}, {"normalize_rows": True}, {"scale": "jordan"}, ALL],
    ids=lambda switches: "-".join(switches),
)
def test_steps_equal_the_formulas(switches):
    """Oracle: `reference_step` in float64; 1e-4 is float32's rounding, amplified by five iterations of slope 3.4."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(6, 4), (4, 6), (6, 4)]
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    expected = [parameter.detach().double() for parameter in parameters]
    states = [{"mean": torch.zeros_like(values), "squares": 0.0} for values in expected]
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3, **switches}
    optimizer = Muon(parameters, **settings)
    for _ in range(4):
        for index, parameter in enumerate(parameters):
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            expected[index] = reference_step(expected[index], parameter.grad.double(), states[index], **settings)
        optimizer.step()
    for parameter, values in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.detach().double(), values, rtol=0, atol=1e-4)


@pytest.mark.parametrize("switches", [{}, ALL], ids=["plain", "all"])
def test_state_resumes_bit_for_bit(switches):
    """Oracle: a run that was not interrupted."""

    def train(parameter, optimizer, steps):
        for _ in range(steps):
            parameter.grad = parameter.detach().sin()
            optimizer.step()

    start = torch.linspace(0, 3, 12).view(3, 4)
    whole, first = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    train(whole, Muon([whole], lr=0.3, **switches), 6)
    before = Muon([first], lr=0.3, **switches)
    train(first, before, 3)
    second = torch.nn.Parameter(first.detach().clone())
    after = Muon([second], lr=9.0)
    after.load_state_dict(before.state_dict())
    train(second, after, 3)
    assert torch.equal(second, whole)


@pytest.mark.parametrize("switches", [{}, ALL], ids=["plain", "all"])
def test_zero_gradients_and_narrow_parameters(switches):
    """Derived by hand: no momentum, no direction; a bfloat16 matrix keeps its momentum in float32."""
    parameter = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16))
    parameter.grad = torch.zeros_like(parameter)
    optimizer = Muon([parameter], lr=0.5, weight_decay=0.5, **switches)
    optimizer.step()
    assert torch.equal(parameter, torch.full_like(parameter, 0.75))
    assert optimizer.state[parameter]["momentum"].dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"lr": -1.0}, ("lr", -1.0)),
        ({"momentum": 1.0}, ("momentum", 1.0)),
        ({"row_beta": 1.0}, ("row_beta",)),
        ({"weight_decay": -1.0}, ("weight_decay",)),
    ],
)
def test_bad_settings_are_refused(settings, facts):
    with refuses(ConfigError, *facts):
        Muon([torch.zeros(2, 2, requires_grad=True)], **settings)


def test_vectors_are_refused():
    with refuses(ConfigError, "(3,)", "1 axes"):
        Muon([torch.zeros(3, requires_grad=True)])
