"""The ramp of the learning rate. Oracles: quadratics, whose edge of stability is 2 / curvature, and the tiny recipe."""

import json
from itertools import accumulate
from math import inf, isnan, log
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun.cli.main import main
from homespun.errors import ConfigError, TrainingError
from homespun.experiments.find_lr import SAFETY, find_lr, rates_between, run_ramp, smooth
from homespun.optim.config import MuonOptim
from homespun.recipe.load import load_recipe
from homespun.training.engine import Engine
from refusals import refuses
from tiny import make_world


def descend(curvatures, target=0.0, noise=0.0):
    """Gradient descent on the sum of c x**2 / 2 + target, from x = 1 in each direction.

    `noise` is added to each gradient, with alternating signs: nothing is drawn, and no direction settles.
    """
    x = [1.0] * len(curvatures)

    def loss_at(step, lr):
        loss = target + sum(c * v * v / 2 for c, v in zip(curvatures, x, strict=True))
        x[:] = [v - lr * (c * v + noise * (-1) ** step) for c, v in zip(curvatures, x, strict=True)]
        return loss

    return loss_at


@pytest.mark.parametrize("curvature", [0.01, 1.0, 300.0])
def test_a_quadratic_is_lowest_at_its_edge_of_stability(curvature):
    """Oracle: a step multiplies x by 1 - lr c, so that the loss falls exactly while lr < 2 / c.

    It is above its start again once the product of these factors is above 1. Half a window of the median is 10 steps.
    """
    rates = rates_between(1e-3 / curvature, 1e3 / curvature, 400)
    ramp = run_ramp(descend([curvature]), rates)
    edge = next(step for step, lr in enumerate(rates) if lr > 2 / curvature)
    assert abs(ramp.lowest.step - edge) <= 10
    growth = [*accumulate(log(abs(1 - lr * curvature)) for lr in rates)]
    assert ramp.breaks is not None
    assert abs(ramp.breaks.step - next(step for step in range(edge, 400) if growth[step] > 0)) <= 10
    assert ramp.suggestion == pytest.approx(ramp.lowest.lr / SAFETY, rel=0.05)


def test_the_steepest_direction_decides():
    """Oracle: noise keeps every direction excited, so that the greatest curvature diverges first, from 2 / 50 on."""
    ramp = run_ramp(descend([50.0, 5.0, 1.0], target=1.0, noise=0.5), rates_between(1e-4, 10, 400))
    assert ramp.lowest.lr < 0.04
    assert ramp.breaks is not None
    assert 0.04 < ramp.breaks.lr < 0.06


def test_a_ramp_that_does_not_reach_the_edge_says_so():
    ramp = run_ramp(descend([1.0], target=1.0), rates_between(1e-4, 0.1, 100))
    assert ramp.lowest.lr == pytest.approx(0.1)
    assert ramp.breaks is None
    assert "--max-lr" in ramp.reasoning


@pytest.mark.parametrize("loss", [inf, float("nan"), None])
def test_a_loss_that_is_not_finite_ends_the_ramp(loss):
    """Planted: from step 60 on the loss is not finite, or the step refuses to be taken."""

    def loss_at(step, lr):
        if step < 60:
            return 5 - step / 30
        if loss is None:
            raise TrainingError("step 60: gradient norm nan")
        return loss

    ramp = run_ramp(loss_at, rates_between(1e-3, 1, 100))
    assert len(ramp.points) == 60
    assert ramp.breaks == ramp.points[-1]
    assert ramp.failure.startswith("step 60")
    assert not any(isnan(value) for value in ramp.smoothed)


def test_a_ramp_that_breaks_at_once_is_refused():
    with refuses(TrainingError, "--min-lr", "2 steps", "0.0107"):
        run_ramp(lambda step, lr: 10.0 ** (step**2), rates_between(0.01, 10, 100))


@pytest.mark.parametrize(("low", "high", "steps"), [(0, 1, 50), (1, 1, 50), (1, 0.1, 50), (1e-3, inf, 50), (0.1, 1, 5)])
def test_impossible_ramps_are_refused(low, high, steps):
    with pytest.raises(ConfigError):
        rates_between(low, high, steps)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(1, 9))
def test_smoothing_is_the_median_of_a_centered_window(values, width):
    """Oracle: statistics.median of the window written out; at the ends it shrinks on both sides alike."""
    expected = []
    for index in range(len(values)):
        reach = width // 2
        while index - reach < 0 or index + reach >= len(values):
            reach -= 1
        expected.append(median(values[index - reach : index + reach + 1]))
    assert smooth(values, width) == expected


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


def test_a_recipe_learns_and_breaks_and_repeats(world):
    """Oracle: itself, to the bit; the first loss is near ln 280 = 5.63, and Adam at a rate of 10 learns nothing."""
    config, rates = load_recipe(world, []), rates_between(1e-4, 10, 60)
    ramp = find_lr(config, rates)
    assert ramp == find_lr(config, rates)
    assert 5.3 < ramp.points[0].loss < 6.2
    assert ramp.lowest.loss < 5
    assert 1e-3 < ramp.lowest.lr < 1
    assert ramp.breaks is not None
    assert ramp.suggestion < ramp.lowest.lr < ramp.breaks.lr
    assert ramp != find_lr(load_recipe(world, ["--seed", "1"]), rates)


def test_every_groups_rate_rises_in_proportion(world, monkeypatch):
    """Oracle: the optimizer's own groups: Muon's for the matrices at the ramp's rates, and another for the rest."""
    config = load_recipe(world, ["--optim.kind", "muon", "--optim.lr", "0.02"])
    assert isinstance(config.optim, MuonOptim)
    (rule,) = config.optim.groups
    ratio = rule.optimizer.lr / 0.02
    assert ratio != 1
    seen = []
    step = Engine.step

    def watched(engine, *arguments):
        outcome = step(engine, *arguments)
        seen.append([group["lr"] for group in engine.optimizer.param_groups])
        return outcome

    monkeypatch.setattr(Engine, "step", watched)
    find_lr(config, rates_between(1e-4, 1e-2, 20))
    for rates, lr in ((seen[0], 1e-4), (seen[-1], 1e-2)):
        assert [*dict.fromkeys(rates)] == [pytest.approx(lr), pytest.approx(lr * ratio)]


def test_the_command_writes_figures_and_plot(world, tmp_path, capsys):
    arguments = ["find-lr", str(world), "--steps", "40", "--min-lr", "1e-4", "--out", str(tmp_path / "ramp")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / "ramp" / "ramp.json").read_text())
    assert content["recipe"] == "tiny"
    assert f"{content['suggestion']:.2g}" in printed
    assert f"{content['lowest']['loss']:.4f}" in printed
    plot = (tmp_path / "ramp" / "ramp.svg").read_bytes()
    assert plot.startswith(b"<?xml")
    assert main(arguments) == 0
    assert (tmp_path / "ramp" / "ramp.svg").read_bytes() == plot
    for bad in (["--min-lr", "much"], ["--min-lr", "20"], ["--steps", "3"], ["--optim.lrr", "3"]):
        assert main(["find-lr", str(world), *bad]) == 2
    assert capsys.readouterr().err.count("\n") == 4
