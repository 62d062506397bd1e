"""Which parameters get which settings, and one optimizer of several rules."""

from dataclasses import replace

import pytest
import torch

from homespun.errors import ConfigError
from homespun.model import ModelConfig, TransformerLM
from homespun.optim import (
    SGD,
    AdamW,
    AdamWConfig,
    AdamWOptim,
    GroupRule,
    Muon,
    MuonConfig,
    MuonOptim,
    SGDConfig,
    SGDOptim,
    build_optimizer,
    parameter_groups,
)
from homespun.optim.optimizer import set_learning_rates
from refusals import refuses

CONFIG = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=12)
GAINS = {f"layers.{i}.ln{j}.weight" for i in (0, 1) for j in (1, 2)} | {"ln_final.weight"}


def names_in(model, group):
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    return {name_of[id(parameter)] for parameter in group["params"]}


def test_matrices_decay_and_gains_do_not():
    model = TransformerLM(CONFIG)
    decaying, others = parameter_groups(model, AdamWOptim(weight_decay=0.1))
    assert names_in(model, others) == GAINS
    assert names_in(model, decaying) | names_in(model, others) == {name for name, _ in model.named_parameters()}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_everything_decays_when_asked():
    model = TransformerLM(CONFIG)
    (group,) = parameter_groups(model, AdamWOptim(decay_all=True))
    assert names_in(model, group) == {name for name, _ in model.named_parameters()}


def test_frozen_parameters_are_left_out():
    model = TransformerLM(CONFIG)
    model.token_embeddings.weight.requires_grad_(False)
    assert "token_embeddings.weight" not in names_in(model, parameter_groups(model, AdamWOptim())[0])


def test_settings_are_the_configs():
    model = TransformerLM(CONFIG)
    group = build_optimizer(model, AdamWOptim(lr=0.3, betas=(0.5, 0.6), eps=1e-4, weight_decay=0.2)).param_groups[0]
    found = [group[key] for key in ("kind", "lr", "peak_lr", "betas", "eps", "weight_decay")]
    assert found == ["adamw", 0.3, 0.3, (0.5, 0.6), 1e-4, 0.2]
    (group,) = build_optimizer(model, SGDOptim(lr=0.3)).param_groups
    assert (group["kind"], group["lr"], len(group["params"])) == ("sgd", 0.3, len(list(model.parameters())))


def test_the_first_matching_rule_applies_and_the_schedule_scales_each_peak():
    model = TransformerLM(CONFIG)
    rules = [
        GroupRule(pattern="embed|lm_head", optimizer=SGDConfig(lr=0.5)),
        GroupRule(pattern="weight", optimizer=AdamWConfig(lr=0.25)),
    ]
    optimizer = build_optimizer(model, AdamWOptim(groups=rules))
    set_learning_rates(optimizer, 0.5)
    tables, matrices, gains = optimizer.param_groups
    assert names_in(model, tables) == {"token_embeddings.weight", "lm_head.weight"}
    assert names_in(model, gains) == GAINS
    assert [(g["kind"], g["lr"]) for g in (tables, matrices, gains)] == [
        ("sgd", 0.25),
        ("adamw", 0.125),
        ("adamw", 0.125),
    ]


def test_decay_follows_the_schedule_where_asked():
    """Derived by hand: half of 0.2, and of 0.3 for the rule; gains do not decay; without the setting 0.2 throughout."""
    rules = [GroupRule(pattern="embed|lm_head", optimizer=AdamWConfig(weight_decay=0.3, decay_follows_schedule=True))]
    for follows, expected in ((True, [0.1, 0.0, 0.15]), (False, [0.2, 0.0, 0.15])):
        config = AdamWOptim(weight_decay=0.2, decay_follows_schedule=follows, groups=rules)
        optimizer = build_optimizer(TransformerLM(CONFIG), config)
        for scale in (1.0, 0.0, 0.5):
            set_learning_rates(optimizer, scale)
        assert [group["weight_decay"] for group in optimizer.param_groups] == pytest.approx(expected)


def test_scales_of_the_residual_stream_are_given_to_adamw():
    model = TransformerLM(replace(CONFIG, residual_scales=True))
    _, _, vectors = build_optimizer(model, MuonOptim()).param_groups
    assert names_in(model, vectors) == GAINS | {f"embedding_residuals.{i}.weight" for i in (0, 1)}
    assert (vectors["kind"], vectors["weight_decay"]) == ("adamw", 0.0)


def test_muon_takes_the_matrices_inside_the_blocks():
    model = TransformerLM(CONFIG)
    matrices, tables, gains = build_optimizer(model, MuonOptim()).param_groups
    assert all(name.startswith("layers.") for name in names_in(model, matrices))
    assert [g["kind"] for g in (matrices, tables, gains)] == ["muon", "adamw", "adamw"]
    assert names_in(model, gains) == GAINS
    assert names_in(model, tables) == {"token_embeddings.weight", "lm_head.weight"}


@pytest.mark.parametrize(
    ("config", "facts"),
    [
        (
            AdamWOptim(groups=[GroupRule(pattern="lm_haed", optimizer=SGDConfig())]),
            ("optim.groups[0].pattern", "lm_haed"),
        ),
        (MuonOptim(groups=[]), ("optim", "ln1.weight")),
        (AdamWOptim(groups=[GroupRule(pattern="ln", optimizer=MuonConfig())]), ("optim.groups[0]", "ln1.weight")),
    ],
)
def test_rules_that_do_not_fit_the_model_are_refused(config, facts):
    with refuses(ConfigError, *facts):
        build_optimizer(TransformerLM(CONFIG), config)


def test_one_optimizer_of_three_rules_equals_three_optimizers():
    """Oracle: the optimizers apart, bit for bit, over steps and over a save and load of the one's state."""
    shapes = {"muon": (4, 6), "adamw": (5,), "sgd": (3, 2)}

    def parameters():
        generator = torch.Generator().manual_seed(0)
        return {kind: torch.nn.Parameter(torch.randn(shape, generator=generator)) for kind, shape in shapes.items()}

    def take_step(parameters, optimizers):
        for parameter in parameters.values():
            parameter.grad = parameter.detach().sin()
        for optimizer in optimizers:
            optimizer.step()

    rules = [
        GroupRule(pattern="muon", optimizer=MuonConfig(lr=0.1)),
        GroupRule(pattern="sgd", optimizer=SGDConfig(lr=0.3)),
    ]
    config = AdamWOptim(lr=0.2, betas=(0.9, 0.999), weight_decay=0.01, decay_all=True, groups=rules)
    apart, together = parameters(), torch.nn.ParameterDict(parameters())
    separate = [
        Muon([apart["muon"]], lr=0.1),
        AdamW([apart["adamw"]], lr=0.2),
        SGD([apart["sgd"]], lr=0.3),
    ]
    saved = None
    for _ in range(2):
        one = build_optimizer(together, config)
        if saved is not None:
            one.load_state_dict(saved)
        for _ in range(3):
            take_step(apart, separate)
            take_step(together, [one])
        saved = one.state_dict()
    for kind in shapes:
        assert torch.equal(apart[kind], together[kind])
