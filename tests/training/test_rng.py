import json
import random
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from homespun.training.rng import RngState, seed_generators, undisturbed_rng
from homespun.typed_json import build_from_json


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(())), float(torch.randn(()))  # noqa: NPY002


def test_restored_generators_repeat_themselves():
    """Oracle: identity, through JSON as in a checkpoint."""
    state = build_from_json(RngState, json.loads(json.dumps(asdict(RngState.now()))))
    state.check()
    first = draw()
    state.restore()
    assert draw() == first


def test_a_run_draws_the_same_whatever_was_drawn_before():
    """Oracle: identity, and another seed."""
    drawn = []
    for seed in (0, 0, 1):
        seed_generators(seed)
        drawn.append((random.random(), float(np.random.rand())))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_draws_inside_the_block_do_not_count():
    state = RngState.now()
    expected = draw()
    state.restore()
    with undisturbed_rng():
        draw()
    assert draw() == expected


@pytest.mark.parametrize(
    "change",
    [
        {"python": (3, "00" * 5, None)},
        {"python": (3, "00000000" * 5, None)},
        {"python": (9, "00000000" * 625, None)},
        {"python": (3, "00000000" * 624 + "ffffff00", None)},
        {"numpy": ("MT19937", "00000001" * 624, 625, 0, 0.0)},
        {"numpy": ("MT19937", "00000001" * 3, 0, 0, 0.0)},
        {"numpy": ("PCG", "00000001" * 624, 0, 0, 0.0)},
        {"torch": "00"},
        {"torch": "zz"},
    ],
)
def test_states_that_no_generator_has_are_refused_and_nothing_is_set(change):
    before = RngState.now()
    with pytest.raises(ValueError, match="random state"):
        replace(before, **change).check()
    assert RngState.now() == before
