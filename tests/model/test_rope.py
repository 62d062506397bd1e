"""Rotary embedding: RoPE's identities, and tables that no move of the model can spoil."""

import math

import pytest
import torch

from homespun.model import RotaryPositionalEmbedding
from homespun.model.ops.reference import rotate_pairs
from homespun.model.rope import rope_tables


def test_rotation_by_hand():
    """Derived by hand: theta = 100, K = 4: position 3 turns pair 0 by 3 and pair 1 by 3 / sqrt(100)."""
    x = torch.tensor([[1.0, 0.0, 0.0, 2.0]])
    rotated = RotaryPositionalEmbedding(100.0, 4, 8)(x, torch.tensor([3]))
    expected = [math.cos(3), math.sin(3), -2 * math.sin(0.3), 2 * math.cos(0.3)]
    torch.testing.assert_close(rotated, torch.tensor([expected]))


def test_rotation_is_the_papers_equation():
    """Oracle: RoFormer's eq. 34, written out for both halves."""
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    cos, sin = rope_tables(10_000.0, 8, 5)
    rotated = rotate_pairs(x, cos, sin)
    torch.testing.assert_close(rotated[..., 0::2], x[..., 0::2] * cos - x[..., 1::2] * sin)
    torch.testing.assert_close(rotated[..., 1::2], x[..., 0::2] * sin + x[..., 1::2] * cos)


@pytest.mark.parametrize("shape", [(5, 8), (2, 5, 8), (2, 3, 5, 8)])
def test_positions_default_to_the_order(shape):
    """Oracle: identity, to float32's rounding (a vectorised product may round once where a scalar one rounds twice)."""
    rope = RotaryPositionalEmbedding(10_000.0, 8, 9)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(rope(x, torch.arange(5)), rope(x))
    torch.testing.assert_close(rope(x, torch.arange(5).expand(shape[:-1])), rope(x))
    late = torch.cat((torch.zeros_like(x)[..., :4, :], x), dim=-2)
    torch.testing.assert_close(rope(x, torch.arange(4, 9)), rope(late)[..., 4:, :])


@pytest.mark.parametrize("move", [lambda m: m.bfloat16(), lambda m: m.double(), lambda m: m.to("cpu")])
def test_tables_stay_float32(move):
    """Oracle: the tables before the move; bfloat16 could not tell position 256 from 257."""
    rope = RotaryPositionalEmbedding(10_000.0, 8, 300)
    before = rope.cos_Tk.clone()
    move(rope)
    assert rope.cos_Tk.dtype == torch.float32
    torch.testing.assert_close(rope.cos_Tk, before, rtol=0, atol=0)
    assert not rope.state_dict()


def test_tables_are_made_when_a_model_without_values_gets_memory():
    rope = RotaryPositionalEmbedding(10_000.0, 8, 16, device="meta").to_empty(device="cpu")
    torch.testing.assert_close(rope.sin_Tk, rope_tables(10_000.0, 8, 16)[1], rtol=0, atol=0)


def test_a_position_outside_the_tables_is_an_index_error():
    with pytest.raises(IndexError):
        RotaryPositionalEmbedding(10_000.0, 8, 16)(torch.zeros(1, 8), torch.tensor([16]))
