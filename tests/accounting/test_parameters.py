from itertools import product
from math import prod
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from homespun.accounting.presets import published_parameters
from homespun.accounting.totals import count_parameters, parameter_shapes, parameters_by_component
from homespun.model.config import ModelConfig

SMALL = {"vocab_size": 11, "context_length": 8, "d_model": 8, "num_layers": 2, "num_heads": 2, "d_ff": 20}


NUMBERS = {"logit_softcap": (None, 15.0), "value_embeddings": (0, 1), "bigram_buckets": (0, 5)}


def list_switches() -> list[dict[str, object]]:
    """Every combination of the config's switches: its choices, its booleans, and those that are numbers."""
    kinds = get_type_hints(ModelConfig)
    values = {name: get_args(kind) for name, kind in kinds.items() if get_origin(kind) is Literal}
    values |= {name: (False, True) for name, kind in kinds.items() if kind is bool} | NUMBERS
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


@pytest.mark.parametrize("switched", list_switches(), ids=lambda values: "-".join(map(str, values.values())))
def test_names_and_shapes_are_those_of_the_model(switched):
    """Oracle: the model itself, for every combination of its switches."""
    from homespun.model.transformer import TransformerLM

    config = ModelConfig(**SMALL, **switched)
    built = {name: tuple(parameter.shape) for name, parameter in TransformerLM(config).named_parameters()}
    assert parameter_shapes(config) == built
    assert count_parameters(config) == sum(prod(shape) for shape in built.values())


def test_base_model():
    """Oracle: the base model's published counts, with and without the input table."""
    config = ModelConfig(vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1344)
    parts = parameters_by_component(config)
    assert count_parameters(config) == 22_696_448
    assert count_parameters(config) - parts["embedding"] == 17_576_448


def test_parts_by_hand():
    """Oracle: 11 x 8 tables, 2 layers of 4 x 64 and 3 x 160, 2 gains of 8 a layer and a final one."""
    assert parameters_by_component(ModelConfig(**SMALL)) == {
        "embedding": 88,
        "attention": 512,
        "feed-forward": 960,
        "norms": 40,
        "head": 88,
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_published_models_have_their_published_counts(name, parameters):
    """Oracle: the tensors of the released checkpoints."""
    assert published_parameters(name) == parameters
