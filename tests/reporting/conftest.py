"""Reports of real runs, and a browser to look at them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from browser import open_browser
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.reporting import write_report
from sweep_world import describe_run, write_sweep
from tiny import run_tiny

VARIANTS = {
    "reference": {},
    "high rate": {"optim.lr": 0.03},
    "no norm": {"model.norm": "none"},
}
SEEDS = range(3)


@dataclass(frozen=True)
class Reports:
    """One page of each kind."""

    single: Path
    two: Path
    sweep: Path

    def all(self):
        return [self.single, self.two, self.sweep]


def make_recipe(root):
    """A recipe of seconds on the storybook, whose entropy is known."""
    recipe = {
        "name": "tiny",
        "source": {
            "corpus": "storybook", "train": str(root / "train.txt"), "valid": str(root / "valid.txt"),
            "num_train_stories": 100, "num_valid_stories": 4,
        },
        "tokenizer": {"vocab_size": 300},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {
            "vocab_size": 300, "context_length": 32, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 32,
        },
        "optim": {"lr": 0.01, "schedule": {"warmup_steps": 4}},
        "training": {"num_steps": 40, "batch_size": 4},
        "execution": {"micro_batch": 4, "device": "cpu", "precision": "float32"},
        "logging": {
            "log_every": 1, "validation_every": 10, "validation_tokens": 256, "checkpoint_every": 40,
            "sampling": {"every": 20, "prompts": ["", "Once a fox"], "max_new_tokens": 24},
        },
    }  # fmt: skip
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    prepare(load_recipe(path))
    return path


@pytest.fixture(scope="session")
def reports(tmp_path_factory) -> Reports:
    """Reports of nine real runs: one alone, two, and all as a sweep."""
    root = tmp_path_factory.mktemp("reports")
    recipe, runs = make_recipe(root), []
    for seed in SEEDS:
        for variant, overrides in VARIANTS.items():
            directory = root / "sweep" / "runs" / f"{variant.replace(' ', '-')}-seed-{seed}"
            flags = [text for key, value in overrides.items() for text in (f"--{key}", json.dumps(value).strip('"'))]
            run_tiny(recipe, directory, [*flags, "--seed", str(seed)])
            runs.append(describe_run(directory, variant, seed))
            if variant != "no norm":
                runs.append(describe_run(directory, variant, seed, budget="time"))
    write_sweep(root / "sweep", VARIANTS, runs, "Which of these can be told from the reference?")
    of = [root / "sweep" / run.directory for run in runs[:2]]
    pages = Reports(single=root / "single.html", two=root / "two.html", sweep=root / "sweep.html")
    write_report(of[0], pages.single)
    write_report(of, pages.two)
    write_report(root / "sweep", pages.sweep)
    return pages


@pytest.fixture(scope="session")
def browser():
    with open_browser() as started:
        yield started
