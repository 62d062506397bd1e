"""What AdamW promises beyond PyTorch's numbers, which test_torch_peer.py compares."""

import pytest
import torch

from homespun.errors import ConfigError
from homespun.optim import AdamW
from refusals import refuses


def train(parameter, optimizer, steps):
    for _ in range(steps):
        parameter.grad = parameter.detach().sin()
        optimizer.step()


def test_state_goes_on_bit_for_bit():
    """Oracle: a run that was not interrupted."""
    whole = torch.nn.Parameter(torch.linspace(0, 3, 7))
    train(whole, AdamW([whole], lr=0.3), 6)
    first = torch.nn.Parameter(torch.linspace(0, 3, 7))
    before = AdamW([first], lr=0.3)
    train(first, before, 3)
    second = torch.nn.Parameter(first.detach().clone())
    after = AdamW([second], lr=99.0)
    after.load_state_dict(before.state_dict())
    train(second, after, 3)
    torch.testing.assert_close(second, whole, rtol=0, atol=0)


def test_first_step_is_the_rate_whatever_the_gradients_scale():
    """Derived by hand: in step one m / sqrt(v) with both corrections is the gradient's sign; 1 - 0.1 * 0.5 decays."""
    parameter = torch.nn.Parameter(torch.tensor([1.0, 1.0, 1.0]))
    parameter.grad = torch.tensor([1e-3, -1e3, 1e3])
    AdamW([parameter], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([0.85, 1.05, 0.85]), rtol=0, atol=2e-6)


def test_cautious_decay_is_by_the_direction_of_the_step():
    """Oracle: Chen et al. 2025, algorithm 1, written out number by number in float64; float32's rounding."""
    generator = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(3, 5, generator=generator))
    w, m, v = parameter.detach().double(), torch.zeros(3, 5).double(), torch.zeros(3, 5).double()
    optimizer = AdamW([parameter], lr=0.1, betas=(0.9, 0.95), weight_decay=0.7, cautious_decay=True)
    for t in range(1, 6):
        gradient = torch.randn(3, 5, generator=generator)
        parameter.grad = gradient.clone()
        optimizer.step()
        m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient.double() ** 2
        u = m / (1 - 0.9**t) / ((v / (1 - 0.95**t)).sqrt() + 1e-8)
        w = torch.where(u * w >= 0, w - 0.1 * (u + 0.7 * w), w - 0.1 * u)
    torch.testing.assert_close(parameter.detach().double(), w, rtol=1e-5, atol=1e-6)


def test_moments_of_bfloat16_parameters_are_float32():
    """Oracle: the same run on float32 values, rounded; 8e-3 is twice bfloat16's rounding error."""
    narrow, wide = (torch.nn.Parameter(torch.linspace(0, 3, 7).to(d)) for d in (torch.bfloat16, torch.float32))
    optimizer = AdamW([narrow], lr=0.3)
    train(narrow, optimizer, 1)
    train(wide, AdamW([wide], lr=0.3), 1)
    state = optimizer.state[narrow]
    assert {key: value.dtype for key, value in state.items()} == dict.fromkeys(
        ("step", "exp_avg", "exp_avg_sq"), torch.float32
    )
    torch.testing.assert_close(narrow.float(), wide, rtol=8e-3, atol=8e-3)


def test_closure_returns_the_loss():
    parameter = torch.nn.Parameter(torch.tensor(2.0))
    optimizer = AdamW([parameter])

    def closure():
        loss = parameter**2
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert optimizer.step() is None


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"lr": -1.0}, ("lr", -1.0)),
        ({"lr": float("inf")}, ("lr", "inf")),
        ({"eps": -1.0}, ("eps", -1.0)),
        ({"eps": 0.0}, ("eps", 0.0)),
        ({"lr": 0.5, "weight_decay": 3.0}, ("lr = 0.5", "weight_decay = 3.0")),
        ({"weight_decay": float("nan")}, ("weight_decay", "nan")),
        ({"weight_decay": float("inf")}, ("weight_decay", "inf")),
        ({"betas": (0.9, 1.0)}, ("betas[1]", 1.0)),
    ],
)
def test_bad_settings_are_refused(settings, facts):
    with refuses(ConfigError, *facts):
        AdamW([torch.zeros(1, requires_grad=True)], **settings)
