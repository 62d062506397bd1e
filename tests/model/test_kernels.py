"""Every kernel against its plain form, in float64, and its gradients against finite differences."""

import pytest
import torch

from homespun.model import cross_entropy, scaled_dot_product_attention, silu
from homespun.model.attention import causal_mask
from homespun.model.kernels import causal_attention as causal_attention_module
from homespun.model.kernels import linear_cross_entropy as linear_cross_entropy_module
from homespun.model.kernels.causal_attention import causal_attention
from homespun.model.kernels.gate import silu_gate
from homespun.model.kernels.linear_cross_entropy import linear_cross_entropy


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def drawn(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("num_positions", [1, 4, 5, 8, 11])
@pytest.mark.parametrize("heads_per_piece", [1, 4, 99])
def test_causal_attention_equals_the_plain_form(num_positions, heads_per_piece, monkeypatch):
    """Oracle: scaled_dot_product_attention with a causal mask; blocks and pieces end inside, at and after the whole."""
    monkeypatch.setattr(causal_attention_module, "QUERIES_PER_BLOCK", 4)
    bytes_per_head = 4 * min(4, num_positions) * num_positions
    monkeypatch.setattr(causal_attention_module, "BYTES_PER_PIECE", heads_per_piece * bytes_per_head)
    q, k, v = (drawn(2, num_positions, 3, 6).transpose(1, 2) for _ in range(3))
    plain = scaled_dot_product_attention(q, k, v, causal_mask(num_positions, num_positions))
    blocks = causal_attention(q, k, v)
    torch.testing.assert_close(blocks, plain, rtol=1e-12, atol=1e-12)
    grad = torch.randn_like(plain)
    for actual, expected in zip(
        torch.autograd.grad(blocks, (q, k, v), grad), torch.autograd.grad(plain, (q, k, v), grad), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_causal_attention_in_bfloat16():
    """Oracle: the plain form in float32; 2e-2 is some five roundings of weights and values near 1."""
    q, k, v = (drawn(2, 3, 9, 8, dtype=torch.float32) for _ in range(3))
    expected = scaled_dot_product_attention(q, k, v, causal_mask(9, 9))
    actual = causal_attention(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.float(), expected, rtol=2e-2, atol=2e-2)
    gradients = torch.autograd.grad(expected.sum(), (q, k, v))
    for rounded, exact in zip(torch.autograd.grad(actual.float().sum(), (q, k, v)), gradients, strict=True):
        torch.testing.assert_close(rounded, exact, rtol=0, atol=3e-2 * max(1.0, exact.abs().max().item()))


def test_gate_equals_the_plain_form():
    """Oracle: silu(a) * b, and finite differences."""
    a, b = drawn(3, 5), drawn(3, 5)
    torch.testing.assert_close(silu_gate(a, b), silu(a) * b, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(silu_gate, (a, b))


@pytest.mark.parametrize("bytes_per_piece", [1, 4 * 11 * 3, 2**20])
def test_linear_cross_entropy_equals_the_plain_form(bytes_per_piece, monkeypatch):
    """Oracle: cross_entropy(hidden @ weight.T); pieces of 1, 3 (with a rest of 1) and all 7 rows."""
    monkeypatch.setattr(linear_cross_entropy_module, "BYTES_PER_PIECE", bytes_per_piece)
    hidden, weight, targets = drawn(7, 5), drawn(11, 5), torch.randint(11, (7,))
    plain, pieces = cross_entropy(hidden @ weight.T, targets), linear_cross_entropy(hidden, weight, targets)
    torch.testing.assert_close(pieces, plain, rtol=1e-12, atol=0)
    for actual, expected in zip(
        torch.autograd.grad(3 * pieces, (hidden, weight)), torch.autograd.grad(3 * plain, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-14)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(hidden, weight, targets), plain, rtol=1e-12, atol=0)


def test_linear_cross_entropy_multiplies_in_the_dtype_of_autocast():
    """Oracle: the plain form under the same autocast, whose products round alike; the sums are float32 in both."""
    hidden, weight = drawn(64, 16, dtype=torch.float32), drawn(32, 16, dtype=torch.float32)
    targets = torch.randint(32, (64,))
    with torch.autocast("cpu", torch.bfloat16):
        actual = linear_cross_entropy(hidden, weight, targets)
        expected = cross_entropy(hidden @ weight.T, targets)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    for mine, plain in zip(
        torch.autograd.grad(actual, (hidden, weight)), torch.autograd.grad(expected, (hidden, weight)), strict=True
    ):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, plain, rtol=0, atol=1e-2 * plain.abs().max().item())
