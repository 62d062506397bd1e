"""Layers and loss against PyTorch's own."""

import pytest
import torch
from torch.nn import functional

from homespun.model import Embedding, Linear, RMSNorm, cross_entropy, scaled_dot_product_attention, silu, softmax

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-6), (torch.bfloat16, 8e-3)])
def test_rmsnorm_equals_torch(dtype, rtol):
    """Oracle: torch's kernel in float32. 8e-3 is twice bfloat16's rounding error, 2**-8."""
    x = torch.randn(2, 3, 64).to(dtype)
    expected = functional.rms_norm(x.float(), (64,), eps=1e-5)
    torch.testing.assert_close(RMSNorm(64)(x).float(), expected, rtol=rtol, atol=0)


def test_linear_and_embedding_equal_torch():
    """Oracle: torch's functions; the rows bit for bit, products to float32's rounding."""
    linear, table = Linear(5, 7), Embedding(11, 5)
    ids = torch.randint(11, (2, 3))
    torch.testing.assert_close(table(ids), functional.embedding(ids, table.weight), rtol=0, atol=0)
    torch.testing.assert_close(linear(table(ids)), functional.linear(table(ids), linear.weight), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_and_silu_equal_torch(dim):
    """Oracle: torch, to float32's rounding; the shift by 1,000 would overflow an unguarded exp."""
    x = 1_000 + 10 * torch.randn(4, 5, 6)
    torch.testing.assert_close(softmax(x, dim), torch.softmax(x, dim), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(silu(x - 1_000), functional.silu(x - 1_000), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torch(batch, masked):
    """Oracle: torch's sdpa in float64; a query that may see nothing gets zeros from both."""
    q, k, v = (torch.randn(*batch, n, w, dtype=torch.float64) for n, w in ((5, 8), (7, 8), (7, 6)))
    mask = None
    if masked:
        mask = torch.rand(5, 7) < 0.5
        mask[2] = False
    expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v, mask), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_cross_entropy_equals_torch(batch):
    """Oracle: torch, value and gradient; logits of 1,000 would overflow an unguarded exp."""
    logits = (1_000 * torch.randn(*batch, 9)).requires_grad_()
    targets = torch.randint(9, batch)
    expected = functional.cross_entropy(logits.reshape(-1, 9), targets.reshape(-1))
    actual = cross_entropy(logits, targets)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    expected_gradient = torch.autograd.grad(expected, logits)[0]
    torch.testing.assert_close(torch.autograd.grad(actual, logits)[0], expected_gradient, rtol=1e-6, atol=1e-7)


def test_cross_entropy_sums_bfloat16_logits_in_float32():
    """Oracle: torch on the same logits widened; in bfloat16 a mean over 4,096 positions would keep 8 bits."""
    logits, targets = torch.randn(4_096, 16).bfloat16(), torch.randint(16, (4_096,))
    actual = cross_entropy(logits, targets)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, functional.cross_entropy(logits.float(), targets), rtol=1e-6, atol=0)
