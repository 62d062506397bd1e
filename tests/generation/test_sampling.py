import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from homespun.errors import GenerationError
from homespun.generation import Sampling, sample_tokens
from homespun.generation.draw import candidates
from refusals import refuses


# Multiples of an eighth: many ties, and sums that float64 holds exactly.
def logit_lists(size):
    return st.lists(st.integers(-40, 40).map(lambda eighths: eighths / 8), min_size=size, max_size=size)


def sample_token(logits, sampling, generator):
    """The token drawn for one row."""
    return int(sample_tokens(logits[None], sampling, [generator])[0])


settings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.2, 0.7, 1.0]),
)


def admitted_by_definition(logits: list[float], sampling: Sampling) -> dict[int, float]:
    """The definition in the docstring of `Sampling`, filter by filter."""
    weights = [math.exp((logit - max(logits)) / sampling.temperature) for logit in logits]
    p = [weight / math.fsum(weights) for weight in weights]
    likeliest = sorted(range(len(p)), key=lambda id_: (-p[id_], id_))
    by_k = set(likeliest[: sampling.top_k])
    fewest = next(
        (size for size in range(1, len(p)) if math.fsum(p[id_] for id_ in likeliest[:size]) >= sampling.top_p), len(p)
    )
    by_p = set(likeliest[:fewest])
    by_min = {id_ for id_ in likeliest if weights[id_] >= sampling.min_p}
    return {id_: p[id_] for id_ in by_k & by_p & by_min}


@given(
    rows=st.integers(1, 30).flatmap(lambda size: st.lists(logit_lists(size), min_size=1, max_size=4)), sampling=settings
)
def test_candidates_are_those_of_the_definition(rows, sampling):
    """Oracle: the definition in plain Python, row by row. 1e-12: a few float64 roundings."""
    ids_BC, weights_BC = candidates(torch.tensor(rows), sampling)
    for logits, ids, weights in zip(rows, ids_BC, weights_BC, strict=True):
        expected = admitted_by_definition(logits, sampling)
        admitted = weights > 0
        assert not admitted[int(admitted.sum()) :].any(), "candidates stand before the padding"
        shares = dict(zip(ids[admitted].tolist(), (weights / weights.sum())[admitted].tolist(), strict=True))
        total = math.fsum(expected.values())
        assert shares == pytest.approx({id_: p / total for id_, p in expected.items()}, rel=1e-12)


def test_draws_follow_the_probabilities():
    """Oracle: softmax; 4 standard deviations of a binomial count, with a fixed seed."""
    logits, num_draws = torch.tensor([0.0, 1.0, -1.0, 2.0]), 4000
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(4)
    for _ in range(num_draws):
        counts[sample_token(logits, Sampling(), generator)] += 1
    p = torch.softmax(logits, dim=0)
    assert ((counts - num_draws * p).abs() < 4 * (num_draws * p * (1 - p)).sqrt()).all()


def test_temperature_0_is_greedy_and_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert sample_token(torch.tensor([0.0, 3.0, 3.0, 1.0]), Sampling(temperature=0.0), generator) == 1
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e30])
def test_extreme_temperatures_neither_overflow_nor_divide_by_zero(temperature):
    ids, weights = candidates(torch.tensor([[1e4, 0.0, -1e4]]), Sampling(temperature=temperature))
    assert 0 in ids
    assert torch.isfinite(weights).all()


def test_a_seed_gives_the_same_tokens():
    logits = torch.linspace(0, 1, 50)

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return [sample_token(logits, Sampling(), generator) for _ in range(20)]

    assert draw(1) == draw(1) != draw(2)


def test_a_token_of_no_probability_is_never_drawn():
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([-math.inf, 0.0, -math.inf, 0.0, -math.inf])
    assert {sample_token(logits, Sampling(), generator) for _ in range(50)} == {1, 3}


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7, top_k=3, top_p=0.9), Sampling(min_p=0.3)])
def test_a_row_draws_as_it_does_alone(sampling):
    """Oracle: each row drawn by itself with its own seed."""
    logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)) * torch.tensor([[0.1], [1], [3], [9], [0]])
    for seed in range(20):
        together = sample_tokens(logits, sampling, [torch.Generator().manual_seed(seed + row) for row in range(5)])
        alone = [sample_token(logits[row], sampling, torch.Generator().manual_seed(seed + row)) for row in range(5)]
        assert together.tolist() == alone


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.0)])
@pytest.mark.parametrize("logits", [[0.0, math.nan], [math.inf, 0.0], [-math.inf, -math.inf]])
def test_logits_of_a_diverged_model_are_refused(logits, sampling):
    with refuses(GenerationError, next(logit for logit in logits if not math.isfinite(logit))):
        sample_token(torch.tensor(logits), sampling, torch.Generator())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -0.1}, "temperature = -0.1"),
        ({"temperature": math.nan}, "temperature = nan"),
        ({"temperature": math.inf}, "temperature = inf"),
        ({"top_k": 0}, "top_k = 0"),
        ({"top_p": 0.0}, "top_p = 0.0"),
        ({"top_p": 1.1}, "top_p = 1.1"),
        ({"min_p": -0.1}, "min_p = -0.1"),
        ({"min_p": 1.5}, "min_p = 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with refuses(GenerationError, message):
        Sampling(**setting)
