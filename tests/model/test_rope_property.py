"""RoPE's defining identity."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homespun.model.ops import rotate_pairs
from homespun.model.rope import rope_tables

pytestmark = pytest.mark.property


@given(shift=st.integers(0, 64), distance=st.integers(0, 60))
def test_scores_depend_only_on_distance(shift, distance):
    """Oracle: <R_m q, R_n k> = <R_0 q, R_(n-m) k>; angles near 128 are rounded to 1e-5 in float32."""
    q, k = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0))
    cos, sin = rope_tables(10_000.0, 8, 128)

    def score(m, n):
        return (rotate_pairs(q, cos[m : m + 1], sin[m : m + 1]) * rotate_pairs(k, cos[n : n + 1], sin[n : n + 1])).sum()

    torch.testing.assert_close(score(shift, shift + distance), score(0, distance), rtol=0, atol=1e-4)


@given(position=st.integers(0, 127))
def test_rotation_keeps_lengths(position):
    """Oracle: a rotation is an isometry, pair by pair."""
    x = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    cos, sin = rope_tables(10_000.0, 8, 128)
    rotated = rotate_pairs(x, cos[position : position + 1], sin[position : position + 1])
    torch.testing.assert_close(rotated.unflatten(-1, (4, 2)).norm(dim=-1), x.unflatten(-1, (4, 2)).norm(dim=-1))
