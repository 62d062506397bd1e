"""Oracle: the weights of every step of a run without averages, and their mean in float64."""

import pytest
import torch

from homespun.model import ModelConfig, TransformerLM
from homespun.optim import AdamWOptim, Constant, WeightAverage, build_optimizer
from homespun.optim.average import update_averages

CONFIG = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=1, num_heads=2, d_ff=12)
NUM_STEPS = 10


def train(average, stop=NUM_STEPS, states=None):
    """The weights after each step, and the states of model and optimizer after the last."""
    torch.manual_seed(0)
    model = TransformerLM(CONFIG)
    optimizer = build_optimizer(model, AdamWOptim(schedule=Constant(), lr=0.1, average=average))
    begin, weights = 0, []
    if states is not None:
        begin = states[0]
        model.load_state_dict(states[1])
        optimizer.load_state_dict(states[2])
    for step in range(begin, stop):
        for index, parameter in enumerate(model.parameters()):
            generator = torch.Generator().manual_seed(100 * step + index)
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
        update_averages(optimizer, average, step, NUM_STEPS)
        weights.append({name: p.detach().clone() for name, p in model.named_parameters()})
    return weights, (stop, model.state_dict(), optimizer.state_dict())


def exact_average(weights, average):
    late = [w.double() for w in weights[average.first_step(NUM_STEPS) :]]
    if average.kind == "uniform":
        return sum(late) / len(late)
    mean = late[0]
    for w in late[1:]:
        mean = average.decay * mean + (1 - average.decay) * w
    return mean


@pytest.mark.parametrize("fraction", [0.01, 0.4, 1.0])
@pytest.mark.parametrize("kind", ["ema", "uniform"])
def test_a_run_ends_with_the_average(kind, fraction):
    average = WeightAverage(kind=kind, fraction=fraction, decay=0.7)
    plain, _ = train(WeightAverage())
    averaged, (_, _, optimizer) = train(average)
    for name, final in averaged[-1].items():
        assert all(torch.equal(a[name], p[name]) for a, p in zip(averaged[:-1], plain[:-1], strict=True))
        expected = exact_average([step[name] for step in plain], average)
        torch.testing.assert_close(final.double(), expected, rtol=0, atol=1e-6)
    assert all("average" in state for state in optimizer["state"].values())


@pytest.mark.parametrize("kind", ["ema", "uniform"])
def test_averages_resume_bit_for_bit(kind):
    """Oracle: a run that was not interrupted; stopped before, in and at the beginning of the averaged steps."""
    average = WeightAverage(kind=kind, fraction=0.5, decay=0.7)
    whole, _ = train(average)
    for stop in (3, 5, 6, 8):
        _, states = train(average, stop)
        resumed, _ = train(average, states=states)
        assert all(torch.equal(whole[-1][name], resumed[-1][name]) for name in whole[-1])
