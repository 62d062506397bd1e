"""Every recipe that comes with homespun goes the whole way, 5 steps of it, shrunk by overrides."""

import gzip
from pathlib import Path

import pytest

from homespun.accounting.totals import count_parameters
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.training.loop import train
from homespun.training.recorder import Recorder
from homespun.training.run import open_run

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SHRUNK = {
    "tokenizer.vocab_size": 300,
    "model.vocab_size": 300,
    "model.context_length": 128,
    "model.d_model": 16,
    "model.num_layers": 1,
    "model.num_heads": 2,
    "model.d_ff": 32,
    "optim.schedule.warmup_steps": 1,
    "training.num_steps": 5,
    "training.batch_size": 4,
    "execution.micro_batch": 2,
    "logging.validation_tokens": 300,
    "logging.sampling.max_new_tokens": 5,
    "execution.device": "cpu",
    "execution.compile": "false",
    "source.num_train_stories": 20,
    "source.num_valid_stories": 3,
}

SHRUNK_TABLES = {"value_embeddings": 1, "bigram_buckets": 64}


def shrink(recipe, root):
    """Flags under which `recipe` reads and writes below `root` alone; texts that it would download are made up."""
    config = load_recipe(recipe)
    paths = {
        "source.train": config.source.train,
        "source.valid": config.source.valid,
        "data.tokenizer": config.data.tokenizer,
        "data.train": config.data.train,
        "data.valid": config.data.valid,
    }
    if config.source.corpus != "storybook":
        for name in ("source.train", "source.valid"):
            text = "".join(f"Story {i} of {name} tells of {i % 7} hens.<|endoftext|>" for i in range(40)).encode()
            path = root / paths[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    tables = {name: min(getattr(config.model, name), most) for name, most in SHRUNK_TABLES.items()}
    values = SHRUNK | {f"model.{name}": size for name, size in tables.items()}
    values |= {key: root / path for key, path in paths.items()}
    return [f"--{key}={value}" for key, value in values.items()]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs_five_steps(recipe, tmp_path):
    config = load_recipe(recipe, shrink(recipe, tmp_path))
    prepare(config)
    with open_run(config, tmp_path / "run") as run, Recorder(run.directory) as recorder:
        train(run, recorder)
    result = run.directory.read_result()
    assert result is not None
    assert result.steps == 5
    assert (run.directory.read_entropy() is not None) == (config.source.corpus == "storybook")
    # The temporary plain text of a compressed corpus is gone.
    assert not list(tmp_path.rglob(".*.txt"))


@pytest.mark.parametrize(
    ("name", "parameters", "tokens"),
    [
        ("tinystories-gpu", 22_696_448, 327_680_000),
        ("tinystories-cpu", 22_696_448, 40_001_536),
        ("tinystories-short", 22_696_448, None),
        ("openwebtext-gpu", 45_224_448, 327_680_000),
    ],
)
def test_recipes_are_the_base_model(name, parameters, tokens):
    """Oracle: the course's figures; 40,001,536 is the first whole step past its 40 million tokens."""
    config = load_recipe(next(path for path in RECIPES if path.stem == name))
    assert count_parameters(config.model) == parameters
    assert tokens is None or config.training.num_steps * config.tokens_per_step == tokens


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_says_how_to_run_it(recipe):
    header = recipe.read_text().split("\nname:")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    for part in (f"homespun train recipes/{recipe.name}", "Machine:", "Expected:"):
        assert part in header
    assert load_recipe(recipe).name == recipe.stem
