"""Optimizers, clipping and schedule against PyTorch's own."""

import pytest
import torch

from homespun.optim import SGD, AdamW, clip_gradients, cosine_schedule
from homespun.optim import optimizer as optimizer_module

pytestmark = pytest.mark.peers


def make_parameters(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 4), (5,), (2, 3, 2))
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]


def set_gradients(parameters, step, scale=1.0):
    generator = torch.Generator().manual_seed(step)
    for parameter in parameters:
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("elements_at_once", [1, 2**22])
def test_adamw_equals_torch_over_100_steps(dtype, elements_at_once, monkeypatch):
    """Oracle: torch.optim.AdamW; learning rate and the presence of gradients change on the way.

    Bit for bit in float64; in float32 kernels of our own round some of the steps otherwise, of numbers of about 1.
    """
    monkeypatch.setattr(optimizer_module, "ELEMENTS_AT_ONCE", elements_at_once)
    ours, theirs = make_parameters(dtype), make_parameters(dtype)
    settings = {"lr": 3e-2, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}
    pair = [
        make([{"params": p[:1], "weight_decay": 0.3}, {"params": p[1:]}], **settings)
        for make, p in ((AdamW, ours), (torch.optim.AdamW, theirs))
    ]
    for step in range(100):
        for parameters, optimizer in zip((ours, theirs), pair, strict=True):
            set_gradients(parameters, step)
            if step % 3 == 0:
                parameters[1].grad = None
            for group in optimizer.param_groups:
                group["lr"] = 3e-2 / (1 + step)
            optimizer.step()
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3])
@pytest.mark.parametrize("max_norm", [1.0, float("inf")])
def test_clipping_equals_torch(scale, max_norm):
    """Oracle: clip_grad_norm_, norm and gradients; the sum's order may differ by float32's rounding."""
    ours, theirs = make_parameters(), make_parameters()
    for parameters in (ours, theirs):
        set_gradients(parameters, 0, scale)
        parameters[1].grad = None
    norm = clip_gradients(ours, max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(norm, expected, rtol=1e-6, atol=0)
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-6, atol=0)


def test_cosine_equals_torch():
    """Oracle: CosineAnnealingLR, whose recursion over 50 steps rounds differently by some 1e-15."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.01)
    for step in range(51):
        expected = scheduler.get_last_lr()[0]
        assert cosine_schedule(step, 0.3, 0.01, 0, 50) == pytest.approx(expected, rel=0, abs=1e-14)
        optimizer.step()
        scheduler.step()


def test_first_step_of_sgd_equals_torch():
    """Oracle: torch.optim.SGD, bit for bit: in step 0 the rate is lr itself."""
    ours, theirs = make_parameters(), make_parameters()
    for parameters, optimizer in ((ours, SGD(ours, lr=0.1)), (theirs, torch.optim.SGD(theirs, lr=0.1))):
        set_gradients(parameters, 0)
        optimizer.step()
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)
