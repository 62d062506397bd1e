import json
import random

import numpy as np
import torch

from homespun.training.rng import restore_rng_state, rng_state, undisturbed_rng


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(())), float(torch.randn(()))  # noqa: NPY002


def test_restored_generators_repeat_themselves():
    """Oracle: identity, through JSON as in a checkpoint."""
    state = json.loads(json.dumps(rng_state()))
    first = draw()
    restore_rng_state(state)
    assert draw() == first


def test_draws_inside_the_block_do_not_count():
    state = rng_state()
    expected = draw()
    restore_rng_state(state)
    with undisturbed_rng():
        draw()
    assert draw() == expected
