"""Which parameters decay, and which optimizer a recipe gets."""

from homespun.model import ModelConfig, TransformerLM
from homespun.optim import SGD, AdamW, OptimConfig, build_optimizer, parameter_groups

CONFIG = ModelConfig(vocab_size=11, context_length=8, d_model=8, num_layers=2, num_heads=2, d_ff=12)


def names_in(model, group):
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    return {name_of[id(parameter)] for parameter in group["params"]}


def test_matrices_decay_and_gains_do_not():
    model = TransformerLM(CONFIG)
    decaying, resting = parameter_groups(model, 0.1)
    assert names_in(model, resting) == {f"layers.{i}.ln{j}.weight" for i in (0, 1) for j in (1, 2)} | {
        "ln_final.weight"
    }
    assert names_in(model, decaying) | names_in(model, resting) == {name for name, _ in model.named_parameters()}
    assert (decaying["weight_decay"], resting["weight_decay"]) == (0.1, 0.0)


def test_everything_decays_when_asked():
    model = TransformerLM(CONFIG)
    (group,) = parameter_groups(model, 0.1, decay_all=True)
    assert names_in(model, group) == {name for name, _ in model.named_parameters()}


def test_frozen_parameters_are_left_out():
    model = TransformerLM(CONFIG)
    model.token_embeddings.weight.requires_grad_(False)
    assert "token_embeddings.weight" not in names_in(model, parameter_groups(model, 0.1)[0])


def test_build_follows_the_config():
    model = TransformerLM(CONFIG)
    adamw = build_optimizer(model, OptimConfig(lr=0.3, betas=(0.5, 0.6), eps=1e-4, weight_decay=0.2))
    assert isinstance(adamw, AdamW)
    group = adamw.param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (0.3, (0.5, 0.6), 1e-4, 0.2)
    sgd = build_optimizer(model, OptimConfig(name="sgd", lr=0.3))
    assert isinstance(sgd, SGD)
    assert sum(len(group["params"]) for group in sgd.param_groups) == len(list(model.parameters()))
