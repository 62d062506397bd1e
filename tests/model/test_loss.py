"""Loss and perplexity: values known by hand; test_torch_peer.py compares with torch."""

import math

import pytest
import torch

from homespun.model import cross_entropy, perplexity


def test_uniform_and_certain_guesses():
    """Derived by hand: ln V for equal logits, 0 for a certain one; perplexity V and 1."""
    targets = torch.tensor([0, 3])
    uniform, certain = torch.zeros(2, 8), 1e4 * torch.eye(8)[targets]
    assert cross_entropy(uniform, targets).item() == pytest.approx(math.log(8))
    assert cross_entropy(certain, targets).item() == 0.0
    assert perplexity(cross_entropy(uniform, targets)).item() == pytest.approx(8)


def test_perplexity_is_of_the_mean():
    """Derived by hand: exp((0 + ln 16) / 2) = 4, not the mean of 1 and 16."""
    assert perplexity(torch.tensor([0.0, math.log(16)])).item() == pytest.approx(4)


@pytest.mark.parametrize("target", [-1, 8])
def test_a_target_outside_the_vocabulary_is_an_error(target):
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        cross_entropy(torch.zeros(1, 8), torch.tensor([target]))
