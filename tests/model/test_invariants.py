"""Properties that hold for any input: of softmax, loss, clipping and schedules."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homespun.model import cross_entropy, softmax
from homespun.optim import clip_gradients, cosine_schedule, linear_schedule

pytestmark = pytest.mark.property

values = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9)


@given(values=values, shift=st.floats(-1e3, 1e3, width=32))
def test_softmax_sums_to_one_and_ignores_shifts(values, shift):
    """Oracle: the definition; shifting by 1,000 costs float32 at most 2**-10 * 1.1 in the exponent."""
    x = torch.tensor(values)
    assert softmax(x, 0).sum().item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(softmax(x + shift, 0), softmax(x, 0), rtol=0, atol=2e-3)


@given(values=values, data=st.data())
def test_cross_entropy_is_the_log_of_softmax(values, data):
    """Oracle: -log softmax in float64, which does not underflow here for gaps below 700."""
    logits = torch.tensor(values).clamp(-300, 300)
    target = data.draw(st.integers(0, len(values) - 1))
    expected = -softmax(logits.double(), 0)[target].log().item()
    assert cross_entropy(logits, torch.tensor(target)).item() == pytest.approx(expected, rel=1e-5, abs=1e-4)


@given(gradients=st.lists(values, min_size=1, max_size=4), max_norm=st.floats(1e-3, 1e5))
def test_clipped_gradients_are_short_and_never_longer(gradients, max_norm):
    """Oracle: the definition of the joint norm, to float32's rounding; squares below its 1.2e-38 may vanish."""
    parameters = [torch.zeros(len(values), requires_grad=True) for values in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    before = math.sqrt(sum(value * value for gradient in gradients for value in gradient))
    assert clip_gradients(parameters, max_norm).item() == pytest.approx(before, rel=1e-5, abs=1e-18)
    after = math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters if p.grad is not None))
    assert after <= min(before, max_norm) * (1 + 1e-5)


@given(T_w=st.integers(0, 20), length=st.integers(0, 30), t=st.integers(0, 60))
@pytest.mark.parametrize("schedule", [cosine_schedule, linear_schedule])
def test_rates_stay_between_their_ends_and_fall_after_warmup(schedule, T_w, length, t):
    """Oracle: monotony: up to T_w, down to T_c, then level."""
    rate, later = (schedule(step, 1.0, 0.1, T_w, T_w + length) for step in (t, t + 1))
    assert 0 <= rate <= 1
    assert rate < later if t < T_w else rate >= later >= 0.1 - 1e-12
