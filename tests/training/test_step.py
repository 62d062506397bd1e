import math
from contextlib import nullcontext

import pytest
import torch

from homespun.errors import TrainingError
from homespun.model.config import ModelConfig
from homespun.model.transformer import TrainingLoss, TransformerLM
from homespun.optim.build import build_optimizer
from homespun.optim.config import OptimConfig
from homespun.training.step import take_step

CONFIG = ModelConfig(vocab_size=13, context_length=6, d_model=16, num_layers=2, num_heads=2, d_ff=24)


def make(seed=0):
    torch.manual_seed(seed)
    model = TransformerLM(CONFIG)
    return model, build_optimizer(model, OptimConfig(lr=1e-2))


def batch(num_sequences=6):
    ids = torch.randint(13, (num_sequences, 7), generator=torch.Generator().manual_seed(1))
    return ids[:, :-1], ids[:, 1:]


def step(model, optimizer, *, micro_batch=6, number=0, lr=1e-2, max_grad_norm=1.0):
    return take_step(
        model,
        optimizer,
        TrainingLoss(model),
        *batch(),
        step=number,
        lr=lr,
        micro_batch=micro_batch,
        max_grad_norm=max_grad_norm,
        precision_context=nullcontext,
    )


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 4])
def test_micro_batches_change_nothing_but_rounding(micro_batch):
    """Oracle: the whole batch at once, also for micro-batches of unequal size. 1e-5: float32 sums in another order."""
    whole, parts = make(), make()
    expected, found = step(*whole), step(*parts, micro_batch=micro_batch)
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert found.grad_norm == pytest.approx(expected.grad_norm, rel=1e-5)
    for ours, theirs in zip(parts[0].parameters(), whole[0].parameters(), strict=True):
        # Adam's first step is lr * sign(gradient): gradients that vanish may take either sign.
        assert (ours - theirs).abs().mean() < 1e-5


def test_step_is_loss_backward_clip_update():
    """Oracle: the same written out with torch's own clipping and optimizer."""
    model, optimizer = make()
    other, _ = make()
    outcome = step(model, optimizer, max_grad_norm=0.5)
    groups = [
        {"params": g["params"], "weight_decay": g["weight_decay"]}
        for g in build_optimizer(other, OptimConfig()).param_groups
    ]
    reference = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
    loss = TrainingLoss(other)(*batch())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
    reference.step()
    assert outcome.loss == pytest.approx(loss.item(), rel=1e-6)
    assert outcome.grad_norm == pytest.approx(norm.item(), rel=1e-6)
    for found, expected in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_rate_is_the_one_given():
    model, optimizer = make()
    before = [p.clone() for p in model.parameters()]
    step(model, optimizer, lr=0.0)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_repeated_steps_lower_the_loss():
    model, optimizer = make()
    losses = [step(model, optimizer, number=number).loss for number in range(10)]
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_weight_stops_the_step_before_the_update(bad):
    model, optimizer = make()
    with torch.no_grad():
        model.get_parameter("layers.1.ffn.w2.weight")[0, 0] = bad
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(TrainingError, match=r"step 7: loss nan.*weights of layers\.1\.ffn\.w2\.weight.*Nothing was up"):
        step(model, optimizer, number=7)
    for name, p in model.named_parameters():
        assert torch.equal(p.nan_to_num(), before[name].nan_to_num())
        assert p.grad is None
    assert not optimizer.state


def test_a_bad_gradient_alone_is_named():
    """Oracle: the one parameter whose gradient a hook makes NaN, though clipping then spreads it to all."""
    model, optimizer = make()
    model.get_parameter("layers.0.attn.k_proj.weight").register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(TrainingError, match=r"gradient norm nan.*gradient of layers\.0\.attn\.k_proj\.weight"):
        step(model, optimizer)
