"""Layers: their start, their shapes, what they keep in which dtype."""

from math import sqrt

import pytest
import torch

from homespun.model import Embedding, Linear, RMSNorm, SwiGLU, initialise, silu, softmax
from homespun.model.layers import EmbeddingResidual, ReLUSquaredFeedForward, SiLUFeedForward


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("layer", "std"),
    [(Linear(300, 500), sqrt(2 / 800)), (Embedding(500, 300), 1.0), (Embedding(500, 300, std=0.02), 0.02)],
)
def test_weights_start_as_cut_normals(layer, std):
    """Oracle: a normal cut at 3 standard deviations has 0.98658 of its deviation; 150,000 draws know it to 0.5 %."""
    assert layer.weight.abs().max() <= 3 * std
    assert layer.weight.std().item() == pytest.approx(0.98658 * std, rel=5e-3)


def test_initialise_draws_everything_from_the_generator():
    """Oracle: the same seed gives the same values; torch's global generator is not touched."""
    first, second = SwiGLU(8, 12), SwiGLU(8, 12)
    state = torch.get_rng_state()
    for model in (first, second):
        initialise(model, torch.Generator().manual_seed(7))
    assert torch.equal(torch.get_rng_state(), state)
    for ours, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=0, atol=0)


def test_feed_forward_networks_follow_their_formulas():
    """Oracle: the formulas, written out; float32's rounding."""
    x = torch.randn(2, 3, 8)
    gated, plain, squared = SwiGLU(8, 12), SiLUFeedForward(8, 12), ReLUSquaredFeedForward(8, 12)
    w1, w2, w3 = (getattr(gated, name).weight for name in ("w1", "w2", "w3"))
    torch.testing.assert_close(gated(x), (silu(x @ w1.T) * (x @ w3.T)) @ w2.T)
    torch.testing.assert_close(plain(x), silu(x @ plain.w1.weight.T) @ plain.w2.weight.T)
    torch.testing.assert_close(squared(x), (x @ squared.w1.weight.T).clamp(min=0) ** 2 @ squared.w2.weight.T)


def test_embedding_residual_begins_as_nothing():
    """Oracle: identity, then lambda x + gamma x_0."""
    x, embedding, layer = torch.randn(2, 3, 8), torch.randn(2, 3, 8), EmbeddingResidual()
    assert torch.equal(layer(x, embedding), x)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(layer(x, embedding), 0.5 * x + 2 * embedding)


def test_sixteen_bit_inputs_keep_their_dtype_and_are_summed_in_float32():
    """Oracle: 4,096 equal weights of 2**-12; summed in bfloat16 they would stall at 256 terms."""
    weights = softmax(torch.zeros(4_096, dtype=torch.bfloat16), 0)
    assert weights.dtype == torch.bfloat16
    assert weights[0].item() == 2**-12
    x = torch.full((1, 4_096), 3.0, dtype=torch.bfloat16)
    normed = RMSNorm(4_096)(x)
    assert normed.dtype == torch.bfloat16
    torch.testing.assert_close(normed.float(), torch.ones(1, 4_096), rtol=4e-3, atol=0)


def test_an_id_outside_the_table_is_an_index_error():
    with pytest.raises(IndexError):
        Embedding(4, 2)(torch.tensor([4]))
