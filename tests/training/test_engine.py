"""One training step. Oracles: torch's own clipping and optimizer; the whole batch at once."""

import gc
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from homespun import _native
from homespun.accounting.kernels import reused_bytes
from homespun.errors import TrainingError
from homespun.kernels import MIN_REUSED
from homespun.model.config import ModelConfig
from homespun.model.transformer import TrainingLoss, TransformerLM
from homespun.optim import AdamWOptim, Constant, GroupRule, MuonOptim, SGDConfig, WeightAverage, build_optimizer
from homespun.training.engine import Engine
from refusals import refuses

CONFIG = ModelConfig(vocab_size=13, context_length=6, d_model=16, num_layers=2, num_heads=2, d_ff=24)


def make(micro_batch=6, max_grad_norm=1.0, optim=None, schedule=None, config=CONFIG, **settings):
    torch.manual_seed(0)
    model = TransformerLM(config)
    return Engine(
        model=model,
        loss=TrainingLoss(model, reduction="sum"),
        optimizer=build_optimizer(model, optim or AdamWOptim(lr=1e-2)),
        schedule=schedule or Constant(),
        num_steps=10,
        micro_batch=micro_batch,
        max_grad_norm=max_grad_norm,
        device="cpu",
        precision="float32",
        **settings,
    )


def batch(num_sequences=6):
    ids = np.random.default_rng(1).integers(13, size=(num_sequences, 7))
    return ids[:, :-1], ids[:, 1:]


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 4])
def test_micro_batches_change_nothing_but_rounding(micro_batch):
    """Oracle: the whole batch at once, also for micro-batches of unequal size. 1e-5: float32 sums in another order."""
    whole, split = make(), make(micro_batch=micro_batch)
    expected, found = whole.step(0, *batch()), split.step(0, *batch())
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert found.grad_norm == pytest.approx(expected.grad_norm, rel=1e-5)
    for ours, theirs in zip(split.model.parameters(), whole.model.parameters(), strict=True):
        # Adam's first step is lr * sign(gradient): gradients that vanish may take either sign.
        assert (ours - theirs).abs().mean() < 1e-5


def test_the_last_step_leaves_the_average():
    """Oracle: the mean of a second engine's weights after each of the last 4 of 10 steps; float32's rounding."""
    average = WeightAverage(kind="uniform", fraction=0.4)
    averaging, plain = make(optim=AdamWOptim(lr=1e-2, average=average), average=average), make()
    late = []
    for step in range(10):
        averaging.step(step, *batch())
        plain.step(step, *batch())
        late.append([p.detach().double() for p in plain.model.parameters()])
    for ours, *weights in zip(averaging.model.parameters(), *late[6:], strict=True):
        torch.testing.assert_close(ours.double(), sum(weights) / 4, rtol=0, atol=1e-6)


def test_step_is_loss_backward_clip_update():
    """Oracle: the same written out with torch's own clipping and optimizer."""
    engine, other = make(max_grad_norm=0.5), make().model
    outcome = engine.step(0, *batch())
    groups = [
        {"params": group["params"], "weight_decay": group["weight_decay"]}
        for group in build_optimizer(other, AdamWOptim()).param_groups
    ]
    reference = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
    loss = TrainingLoss(other)(*(torch.from_numpy(ids) for ids in batch()))
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
    reference.step()
    assert outcome.loss == pytest.approx(loss.item(), rel=1e-6)
    assert outcome.grad_norm == pytest.approx(norm.item(), rel=1e-6)
    for found, expected in zip(engine.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, {"qk_norm": True}, {"tie_embeddings": True}, {"norm": "none"}],
    ids=lambda changes: "-".join(changes),
)
def test_each_component_has_its_norm(changes):
    """Oracle: the gradients of torch's own backward pass, joined by hand. 1e-5: float32 sums in another order."""
    engine, other = make(config=replace(CONFIG, **changes)), make(config=replace(CONFIG, **changes)).model
    outcome = engine.step(0, *batch())
    TrainingLoss(other)(*(torch.from_numpy(ids) for ids in batch())).backward()
    patterns = {
        "embedding": r"token_embeddings",
        "attention": r"layers\.\d\.attn",
        "feed-forward": r"layers\.\d\.ffn",
        "norms": r"layers\.\d\.ln|ln_final",
        "head": r"lm_head",
    }
    gradients = {
        component: [p.grad.flatten() for name, p in other.named_parameters() if re.match(pattern, name)]
        for component, pattern in patterns.items()
    }
    expected = {component: torch.cat(found).norm().item() for component, found in gradients.items() if found}
    assert outcome.grad_norms == pytest.approx(expected, rel=1e-5)
    assert math.hypot(*outcome.grad_norms.values()) == pytest.approx(outcome.grad_norm, rel=1e-5)


def test_the_schedule_scales_every_groups_peak():
    """Derived by hand: step 0 of a warm-up has rate 0, step 1 half of each peak."""
    rules = [GroupRule(pattern="embed", optimizer=SGDConfig(lr=0.5))]
    engine = make(optim=AdamWOptim(lr=0.25, groups=rules), schedule=Constant(warmup_steps=2))
    before = [parameter.clone() for parameter in engine.model.parameters()]
    assert engine.step(0, *batch()).lr == 0.0
    assert all(torch.equal(p, old) for p, old in zip(engine.model.parameters(), before, strict=True))
    assert engine.step(1, *batch()).lr == 0.125
    assert sorted({group["lr"] for group in engine.optimizer.param_groups}) == [0.125, 0.25]


@pytest.mark.parametrize("optim", [AdamWOptim(lr=1e-2), MuonOptim(lr=1e-2)])
def test_repeated_steps_lower_the_loss(optim):
    engine = make(optim=optim)
    losses = [engine.step(step, *batch()).loss for step in range(10)]
    assert losses[-1] < losses[0] - 0.5


def test_hooks_see_every_forward_pass():
    """Oracle: the count. Sharding and compilation wrap the loss module, so nothing may go around its call."""
    engine, calls = make(micro_batch=2), []
    engine.loss.register_forward_hook(lambda *_: calls.append(1))
    engine.step(0, *batch())
    assert len(calls) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_weight_stops_the_step_before_the_update(bad):
    engine = make()
    with torch.no_grad():
        engine.model.get_parameter("layers.1.ffn.w2.weight")[0, 0] = bad
    before = {name: p.clone() for name, p in engine.model.named_parameters()}
    with refuses(TrainingError, "step 7", "loss nan", "weights of layers.1.ffn.w2.weight"):
        engine.step(7, *batch())
    for name, p in engine.model.named_parameters():
        assert torch.equal(p.nan_to_num(), before[name].nan_to_num())
        assert p.grad is None or not p.grad.any()
    assert not engine.optimizer.state


def test_a_bad_gradient_alone_is_named():
    """Oracle: the one parameter whose gradient a hook makes NaN, though clipping then spreads it to all."""
    engine = make()
    engine.model.get_parameter("layers.0.attn.k_proj.weight").register_hook(lambda gradient: gradient * math.nan)
    with refuses(TrainingError, "gradient norm nan", "gradient of layers.0.attn.k_proj.weight"):
        engine.step(0, *batch())


@pytest.mark.parametrize(
    ("micro_batch", "switches"),
    [
        (2, {}),
        (4, {}),
        (4, {"qk_norm": True}),
        (4, {"feed_forward": "silu"}),
        (4, {"qk_norm": True, "feed_forward": "relu2", "logit_softcap": 15.0}),
        (4, {"value_embeddings": 2}),
    ],
)
def test_memory_of_a_step_is_what_the_estimate_counts(micro_batch, switches):
    """Oracle: the bytes of the arrays that kernels were given; a percent for small tensors, which torch allocates."""
    config = ModelConfig(
        vocab_size=500, context_length=256, d_model=128, num_layers=3, num_heads=4, d_ff=352, **switches
    )
    model = TransformerLM(config)
    engine = Engine(
        model=model,
        loss=TrainingLoss(model, reduction="sum"),
        optimizer=build_optimizer(model, AdamWOptim()),
        schedule=Constant(),
        num_steps=10,
        micro_batch=micro_batch,
        max_grad_norm=1.0,
        device="cpu",
        precision="float32",
    )
    ids = np.random.default_rng(1).integers(500, size=(4, 257))
    gc.collect()
    _native.release_buffers()
    before, _ = _native.buffer_bytes()
    for step in range(2):
        engine.step(step, ids[:, :-1], ids[:, 1:])
    _, most = _native.buffer_bytes()
    expected = reused_bytes(config, micro_batch * 256, MIN_REUSED)
    assert most - before == pytest.approx(expected, rel=0.01)
