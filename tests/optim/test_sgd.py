"""Oracle: the descent of a parabola, whose steps are known in closed form."""

from math import prod, sqrt

import pytest
import torch

from homespun.errors import ConfigError
from homespun.optim import SGD
from refusals import refuses


@pytest.mark.parametrize(("lr", "low", "high"), [(1, 15, 35), (10, 0.1, 10), (100, 1e-25, 1e-21), (1000, 1e17, 1e19)])
def test_toy_of_the_assignment(lr, low, high):
    """Derived by hand: each weight is multiplied by 1 - 2 lr / (100 sqrt(t + 1)), t = 0 ... 8, before the 10th loss.

    At rate 100 the factor of t = 3 is 0, which float32 misses by its rounding: hence the absolute tolerance.
    """
    torch.manual_seed(0)
    weights = torch.nn.Parameter(5 * torch.randn(10, 10))
    first = (weights**2).mean().item()
    optimizer = SGD([weights], lr=lr)
    for _ in range(10):
        optimizer.zero_grad()
        loss = (weights**2).mean()
        loss.backward()
        optimizer.step()
    factor = prod(1 - 2 * lr / (100 * sqrt(t + 1)) for t in range(9))
    assert loss.item() == pytest.approx(first * factor**2, rel=1e-3, abs=1e-20)
    assert low <= loss.item() <= high


def test_closure_and_missing_gradients():
    """Derived by hand: 2 - 0.5 * 4 = 0; the other parameter has no gradient and stays."""
    moved, left = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(7.0))
    optimizer = SGD([moved, left], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = moved**2
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert (moved.item(), left.item()) == (0.0, 7.0)


def test_state_goes_on_bit_for_bit():
    """Oracle: a run that was not interrupted."""

    def train(parameter, optimizer, steps):
        for _ in range(steps):
            parameter.grad = parameter.detach().sin()
            optimizer.step()

    whole = torch.nn.Parameter(torch.linspace(0, 3, 7))
    train(whole, SGD([whole], lr=0.3), 6)
    first = torch.nn.Parameter(torch.linspace(0, 3, 7))
    before = SGD([first], lr=0.3)
    train(first, before, 3)
    second = torch.nn.Parameter(first.detach().clone())
    after = SGD([second], lr=99.0)
    after.load_state_dict(before.state_dict())
    train(second, after, 3)
    torch.testing.assert_close(second, whole, rtol=0, atol=0)


def test_negative_rate_is_refused():
    with refuses(ConfigError, "lr", -1):
        SGD([torch.zeros(1, requires_grad=True)], lr=-1)
