"""A recipe that trains in seconds, and its run."""

from pathlib import Path

import yaml

from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.records import RunDirectory
from homespun.training.events import StepTaken
from homespun.training.loop import train
from homespun.training.recorder import Recorder
from homespun.training.run import open_run

STORY = "Once there was a {0}. The {0} met a {1}, and they were friends.<|endoftext|>"
CREATURES = ["fox", "bear", "frog", "goose", "snail", "mouse", "cat", "owl"]


def make_world(root: Path) -> Path:
    """Make text, tokenizer and token data sets at `root`, and return the recipe that needs them."""
    root.mkdir(exist_ok=True)
    stories = [STORY.format(one, other) for one in CREATURES for other in CREATURES]
    (root / "train.txt").write_text("".join(stories * 3))
    (root / "valid.txt").write_text("".join(stories[5::7]))
    recipe = {
        "name": "tiny",
        "source": {"corpus": "files", "train": str(root / "train.txt"), "valid": str(root / "valid.txt")},
        "tokenizer": {"vocab_size": 280},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {
            "vocab_size": 280, "context_length": 16, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 32,
        },
        "optim": {"lr": 0.01, "schedule": {"warmup_steps": 2}},
        "training": {"num_steps": 12, "batch_size": 4},
        "execution": {"micro_batch": 2, "device": "cpu"},
        "logging": {
            "log_every": 1, "validation_every": 4, "validation_tokens": 64, "checkpoint_every": 5,
            "sampling": {"every": 6, "prompts": ["Once"], "max_new_tokens": 5},
        },
    }  # fmt: skip
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    prepare(load_recipe(path))
    return path


def run_tiny(world, root, overrides=(), stop_after=None, listener=lambda event: None):
    """Train at `root`, or as far as `stop_after` steps, and return how it ended."""
    with open_run(load_recipe(world, overrides), root) as opened, Recorder(opened.directory) as recorder:
        done = opened.steps_done

        def listen(event):
            nonlocal done
            recorder(event)
            listener(event)
            if isinstance(event, StepTaken):
                done = event.step

        # The step in progress counts: the loop asks before it tells.
        return train(opened, listen, lambda: stop_after is not None and done + 1 >= stop_after)


def figures(root):
    """What bit-exact resume promises of the records; times differ."""
    train_records, validations = RunDirectory(root).read_metrics()
    return (
        [(r.step, r.tokens, r.loss, r.lr, r.grad_norm) for r in train_records],
        [(r.step, r.loss, r.num_tokens, r.num_bytes, r.whole) for r in validations],
    )
