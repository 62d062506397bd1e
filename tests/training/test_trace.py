"""Where numbers cease to be finite. Oracles: what was planted; a forward pass without hooks."""

import math
from contextlib import nullcontext

import pytest
import torch

from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from homespun.training.trace import trace_step

CONFIG = ModelConfig(vocab_size=13, context_length=6, d_model=16, num_layers=2, num_heads=2, d_ff=24)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TransformerLM(CONFIG)


def micro_batches():
    ids = torch.arange(24).reshape(4, 6) % 13
    return [(ids[:2], ids[2:]), (ids[2:], ids[:2])]


def trace(model):
    return trace_step(model, micro_batches(), nullcontext)


def test_the_figures_are_those_of_the_passes(model):
    """Oracle: the same numbers computed without hooks, the largest of both micro-batches."""
    found = trace(model)
    assert found.first_not_finite is None
    embedded = [model.token_embeddings(inputs) for inputs, _ in micro_batches()]
    assert found.modules["token_embeddings"].output == max(x.abs().max().item() for x in embedded)
    hidden = []
    for inputs, targets in micro_batches():
        hidden.append(model.hidden(inputs))
        hidden[-1].retain_grad()
        model.lm_head.loss(hidden[-1], targets, "sum").backward()
    assert found.modules["ln_final"].output == pytest.approx(max(x.abs().max().item() for x in hidden))
    gradients = [x.grad.abs().max().item() for x in hidden]
    assert found.modules["ln_final"].gradient == pytest.approx(max(gradients), rel=1e-4)
    assert list(found.modules)[:2] == ["token_embeddings", "layers.0.ln1"]


@pytest.mark.parametrize("name", ["layers.0.attn.q_proj", "layers.1.ffn.w3", "ln_final"])
def test_the_first_output_that_is_not_finite_is_named(model, name):
    """Planted: weights so large that this module's output is infinite."""
    with torch.no_grad():
        model.get_submodule(name).weight.fill_(3e38)
    assert trace(model).first_not_finite == f"the output of {name}"


def test_a_loss_that_is_not_finite_is_the_heads(model):
    """Planted: a head whose logits overflow; its loss is computed without its forward pass."""
    with torch.no_grad():
        model.lm_head.weight.fill_(3e38)
    assert trace(model).first_not_finite == "the loss, computed by lm_head"


class _NaNGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.nan


def test_the_first_gradient_that_is_not_finite_is_named(model):
    """Planted: a gradient that becomes NaN between two modules; the one below is the first that gets it."""
    model.layers[1].ffn.w2.register_forward_pre_hook(lambda _module, inputs: _NaNGradient.apply(inputs[0]))
    found = trace(model)
    assert found.first_not_finite in {f"the gradient by the output of layers.1.ffn.{name}" for name in ("w1", "w3")}
    assert math.isfinite(found.modules["layers.1.ffn.w2"].gradient)
