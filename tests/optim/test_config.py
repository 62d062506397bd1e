"""Every bad value is refused by the full name it has in a recipe."""

from dataclasses import fields
from importlib import import_module
from math import inf, nan
from typing import get_args

import pytest

from homespun.errors import ConfigError
from homespun.optim import (
    WSD,
    AdamWConfig,
    AdamWOptim,
    Constant,
    Cosine,
    GroupRule,
    MuonConfig,
    MuonOptim,
    OptimConfig,
    SGDOptim,
    WeightAverage,
)
from homespun.optim.config import SETTINGS
from refusals import refuses


@pytest.mark.parametrize(
    ("section", "values", "facts"),
    [
        (AdamWOptim, {"lr": 0.0}, ("optim.lr", 0.0)),
        (AdamWOptim, {"lr": inf}, ("optim.lr", "inf")),
        (AdamWOptim, {"lr": 1e308, "weight_decay": 0.0}, ("optim.lr", 1e308)),
        (SGDOptim, {"lr": 1e308}, ("optim.lr", 1e308)),
        (AdamWOptim, {"betas": (1.0, 0.9)}, ("optim.betas[0]", 1.0)),
        (AdamWOptim, {"eps": 0.0}, ("optim.eps", 0.0)),
        (AdamWOptim, {"eps": 1e308}, ("optim.eps", 1e308)),
        (AdamWOptim, {"weight_decay": -0.1}, ("optim.weight_decay", -0.1)),
        (AdamWOptim, {"weight_decay": inf}, ("optim.weight_decay", "inf")),
        (AdamWOptim, {"weight_decay": 20.0, "lr": 0.1}, ("optim.weight_decay = 20.0", "optim.lr = 0.1")),
        (AdamWOptim, {"max_grad_norm": 0.0}, ("optim.max_grad_norm", 0.0)),
        (AdamWOptim, {"max_grad_norm": nan}, ("optim.max_grad_norm", "nan")),
        (MuonOptim, {"momentum": 1.0}, ("optim.momentum", 1.0)),
        (MuonOptim, {"newton_schulz_steps": 0}, ("optim.newton_schulz_steps", 0)),
        (MuonOptim, {"weight_decay": inf}, ("optim.weight_decay", "inf")),
        (
            AdamWOptim,
            {"groups": [GroupRule(pattern="a", optimizer=AdamWConfig(lr=-1.0))]},
            ("optim.groups[0].optimizer.lr", -1.0),
        ),
        (AdamWOptim, {"groups": [GroupRule(pattern="(", optimizer=AdamWConfig())]}, ("optim.groups[0].pattern", "'('")),
    ],
)
def test_bad_optimizer_settings(section, values, facts):
    with refuses(ConfigError, *facts):
        section(**values)


@pytest.mark.parametrize(
    ("schedule", "values", "facts"),
    [
        (Cosine, {"warmup_steps": -1}, ("optim.schedule.warmup_steps", -1)),
        (Constant, {"warmup_steps": -1}, ("optim.schedule.warmup_steps", -1)),
        (Cosine, {"final_lr_fraction": 1.1}, ("optim.schedule.final_lr_fraction", 1.1)),
        (WSD, {"decay_steps": -1}, ("optim.schedule.decay_steps", -1)),
        (WSD, {"decay_steps": 0}, ("optim.schedule.decay_steps", 0)),
    ],
)
def test_bad_schedule_settings(schedule, values, facts):
    with refuses(ConfigError, *facts):
        schedule(**values)


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ({"fraction": 0.0}, ("optim.average.fraction", 0.0)),
        ({"fraction": 1.5}, ("optim.average.fraction", 1.5)),
        ({"decay": 1.0}, ("optim.average.decay", 1.0)),
    ],
)
def test_bad_averages(values, facts):
    with refuses(ConfigError, *facts):
        WeightAverage(kind="ema", **values)


def test_a_run_can_grow_until_weights_are_averaged():
    """Derived by hand: the last fifth of 10 steps begins after 8; a constant rate alone sets no limit."""
    assert AdamWOptim(schedule=Constant()).num_extendable_steps(10) == 10
    averaged = AdamWOptim(schedule=Constant(), average=WeightAverage(kind="uniform", fraction=0.2))
    assert averaged.num_extendable_steps(10) == 8
    assert WeightAverage(fraction=0.01).first_step(10) == 9


def test_infinite_max_grad_norm_disables_clipping():
    assert AdamWOptim(max_grad_norm=inf).max_grad_norm == inf


def test_every_kind_has_a_section_and_an_update_rule():
    """Oracle: the union itself; a new optimizer is its settings here and `update` in the module of its kind."""
    sections = {section.kind: {field.name for field in fields(section)} for section in get_args(OptimConfig)}
    assert set(sections) == set(SETTINGS)
    for kind in SETTINGS:
        assert callable(import_module(f"homespun.optim.{kind}").update)
        assert {"lr", "groups", "schedule", "max_grad_norm"} <= sections[kind]


def test_costs_are_summed_over_the_groups():
    """Derived by hand. State: Muon keeps 1 number for each of 6, AdamW 2 for each of 20 and of 3.

    FLOPs of Muon for a (2, 3) matrix: 12 for each number, and in each of 5 iterations (2, 3) times (3, 2) with 24,
    (2, 2) times (2, 2) with 16, and (2, 2) times (2, 3) with 24. AdamW takes 14 for each number, SGD 2. Cautious decay
    takes 3 more.
    """
    shapes = {"token_embeddings.weight": (5, 4), "layers.0.attn.q_proj.weight": (2, 3), "ln_final.weight": (3,)}
    assert MuonOptim().update_cost(shapes) == (6 + 2 * 20 + 2 * 3, 12 * 6 + 5 * (24 + 16 + 24) + 14 * 23)
    assert MuonOptim(newton_schulz_steps=1).update_cost(shapes).flops == 12 * 6 + 64 + 14 * 23
    assert AdamWOptim().update_cost(shapes) == (2 * 29, 14 * 29)
    assert SGDOptim().update_cost(shapes) == (0, 2 * 29)
    rows = MuonOptim(normalize_rows=True, newton_schulz_steps=1).update_cost(shapes)
    assert rows == (6 + 2 + 2 * 20 + 2 * 3, 15 * 6 + 64 + 14 * 23), "a number for each of 2 rows"
    averaged = AdamWOptim(average=WeightAverage(kind="ema"))
    assert averaged.update_cost(shapes) == (3 * 29, 17 * 29)
    assert AdamWOptim(cautious_decay=True).update_cost(shapes).flops == 17 * 29
    assert MuonOptim(cautious_decay=True, newton_schulz_steps=1).update_cost(shapes).flops == 15 * 6 + 64 + 14 * 23


@pytest.mark.parametrize(
    ("config", "facts"),
    [
        (MuonOptim(groups=[]), ("optim: ", "ln_final.weight", "1 axes")),
        (AdamWOptim(groups=[GroupRule(pattern="lm_haed", optimizer=AdamWConfig())]), ("optim.groups[0]", "lm_haed")),
    ],
)
def test_costs_of_rules_that_do_not_fit_are_refused(config, facts):
    """As building the optimizer refuses them, but without torch: `homespun estimate` says so before a run does."""
    with refuses(ConfigError, *facts):
        config.update_cost({"layers.0.attn.q_proj.weight": (2, 3), "ln_final.weight": (3,)})


def test_a_tall_matrix_costs_muon_what_its_transpose_costs():
    """Oracle: `orthogonalize`, which multiplies the smaller of X X^T and X^T X."""
    assert MuonConfig().cost((7, 3)) == MuonConfig().cost((3, 7))
