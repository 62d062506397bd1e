from itertools import product

import pytest

from homespun.accounting.parameters import count_parameters, parameter_shapes, parameters_by_part
from homespun.model.config import ModelConfig

SMALL = {"vocab_size": 11, "context_length": 8, "d_model": 8, "num_layers": 2, "num_heads": 2, "d_ff": 20}
SWITCHES = list(product(("pre", "post", "none"), ("rope", "none"), ("swiglu", "silu"), (False, True)))


@pytest.mark.parametrize(("norm", "positions", "feed_forward", "tie_embeddings"), SWITCHES)
def test_names_and_shapes_are_those_of_the_model(norm, positions, feed_forward, tie_embeddings):
    """Oracle: the model itself, for every combination of its switches."""
    from homespun.model.transformer import TransformerLM

    config = ModelConfig(
        **SMALL, norm=norm, positions=positions, feed_forward=feed_forward, tie_embeddings=tie_embeddings
    )
    built = {name: tuple(parameter.shape) for name, parameter in TransformerLM(config).named_parameters()}
    assert parameter_shapes(config) == built


def test_base_model():
    """Oracle: the base model's published counts, with and without the input table."""
    config = ModelConfig(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1344)
    parts = parameters_by_part(config)
    assert count_parameters(config) == 22_696_448
    assert count_parameters(config) - parts["embedding"] == 17_576_448


def test_parts_by_hand():
    """Oracle: 11 x 8 tables, 2 layers of 4 x 64 and 3 x 160, 2 gains of 8 a layer and a final one."""
    assert parameters_by_part(ModelConfig(**SMALL)) == {
        "embedding": 88,
        "attention": 512,
        "feed-forward": 960,
        "norms": 40,
        "head": 88,
    }
