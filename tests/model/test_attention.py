"""Attention: who sees whom, and keys and values remembered."""

import torch

from homespun.model import CausalMultiHeadSelfAttention, RotaryPositionalEmbedding
from homespun.model.ops.reference import causal_mask, scaled_dot_product_attention


def test_mask_lets_the_last_queries_see_all_before_them():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]
    assert causal_mask(1, 3).tolist() == [[True, True, True]]


def test_a_sequence_in_chunks_equals_the_whole(list_store):
    """Oracle: the same attention over the whole sequence; float32's rounding, as sums run in another order."""
    torch.manual_seed(0)
    attention = CausalMultiHeadSelfAttention(8, 2, RotaryPositionalEmbedding(10_000.0, 4, 16), layer_index=3)
    x = torch.randn(2, 7, 8)
    positions = torch.arange(7)
    chunks = [attention(x[:, a:b], positions[a:b], list_store) for a, b in ((0, 3), (3, 4), (4, 7))]
    torch.testing.assert_close(torch.cat(chunks, dim=1), attention(x), rtol=1e-5, atol=1e-6)
    assert list(list_store.layers) == [3]


def test_positions_of_each_sequence_its_own():
    """Oracle: RoPE's shift invariance: all positions moved alike change nothing."""
    torch.manual_seed(0)
    attention = CausalMultiHeadSelfAttention(8, 2, RotaryPositionalEmbedding(10_000.0, 4, 32))
    x = torch.randn(2, 7, 8)
    positions = torch.arange(7) + torch.tensor([[0], [20]])
    torch.testing.assert_close(attention(x, positions), attention(x), rtol=1e-4, atol=1e-5)


def test_qk_norm_is_rmsnorm_of_each_heads_queries_and_keys():
    """Oracle: the norms written out before attention without them, gains included; in float64."""
    torch.manual_seed(0)
    attention = CausalMultiHeadSelfAttention(8, 2, qk_norm=True, norm_eps=1e-3).double()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    heads = [(x @ p.weight.T).unflatten(-1, (2, 4)).transpose(1, 2) for p in (attention.q_proj, attention.k_proj)]
    with torch.no_grad():
        for norm in (attention.q_norm, attention.k_norm):
            norm.weight.uniform_(0.5, 1.5)
    q, k = (
        y / (y.square().mean(-1, keepdim=True) + 1e-3).sqrt() * norm.weight
        for y, norm in zip(heads, (attention.q_norm, attention.k_norm), strict=True)
    )
    v = (x @ attention.v_proj.weight.T).unflatten(-1, (2, 4)).transpose(1, 2)
    expected = scaled_dot_product_attention(q, k, v, causal_mask(5, 5)).transpose(1, 2).flatten(2)
    # 1e-6: RMSNorm computes in float32.
    torch.testing.assert_close(attention(x), expected @ attention.output_proj.weight.T, rtol=1e-5, atol=1e-6)
