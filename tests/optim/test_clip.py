"""Oracle: norms known by hand."""

import pytest
import torch

from homespun.optim import clip_gradients
from homespun.optim.clip import gradient_norms


def parameter_with(gradient):
    parameter = torch.zeros(len(gradient), requires_grad=True)
    parameter.grad = torch.tensor(gradient)
    return parameter


def test_gradients_share_one_norm():
    """Derived by hand: |(3, 4)| = 5, scaled by 1 / (5 + 1e-6)."""
    params = [parameter_with([3.0]), torch.zeros(2, requires_grad=True), parameter_with([0.0, 4.0])]
    memory = params[0].grad
    assert clip_gradients(params, 1.0).item() == 5.0
    assert params[0].grad is memory
    assert params[1].grad is None
    assert params[0].grad.item() == pytest.approx(3 / (5 + 1e-6), rel=1e-7)
    assert params[2].grad[1].item() == pytest.approx(4 / (5 + 1e-6), rel=1e-7)


def test_short_gradients_are_left_alone():
    parameter = parameter_with([0.3, 0.4])
    assert clip_gradients([parameter], 1.0).item() == pytest.approx(0.5)
    torch.testing.assert_close(parameter.grad, torch.tensor([0.3, 0.4]), rtol=0, atol=0)


def test_nothing_to_clip():
    assert clip_gradients([torch.zeros(1, requires_grad=True)], 1.0).item() == 0.0
    assert clip_gradients(iter(()), 1.0).item() == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_norm_that_is_not_finite_is_reported(bad):
    parameter = parameter_with([1.0, bad])
    assert not torch.isfinite(clip_gradients([parameter], 1.0))
    assert parameter.grad[1].isnan()


def test_each_gradient_has_its_norm():
    """Derived by hand; a parameter without a gradient counts as 0."""
    params = [parameter_with([3.0, 4.0]), torch.zeros(2, requires_grad=True), parameter_with([-2.0])]
    assert gradient_norms(params).tolist() == [5.0, 0.0, 2.0]
    assert gradient_norms(params[1:2]).tolist() == [0.0]
