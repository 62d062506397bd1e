"""The speedrun's score. Oracles: `homespun evaluate` on the same stories, the storybook's exact bits."""

import json

import pytest

from homespun.cli.main import main
from homespun.errors import ConfigError
from homespun.experiments import speedrun
from homespun.seeding import derive_seed
from homespun.storybook import generate_stories
from refusals import refuses
from tiny import make_world, run_tiny

SMOKE = "recipes/experiments/base/smoke.yaml"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on the storybook, by the command."""
    root = tmp_path_factory.mktemp("speedrun")
    data = [f"--data.{name}={root / name}" for name in ("tokenizer", "train", "valid")]
    data += [f"--source.{name}={root / name}.txt" for name in ("train", "valid")]
    arguments = ["speedrun", SMOKE, "--out", str(root / "run"), "--stories", "3", "--score-seed", "5", *data]
    assert main(arguments) == 1, "four steps do not qualify"
    return root / "run", arguments


def test_the_exact_bits_are_those_of_the_stories(run):
    """Oracle: the storybook: its stories of that seed, their bits and bytes, the separators counted."""
    score = json.loads((run[0] / "speedrun.json").read_text())
    stories = [*generate_stories(3, derive_seed(5, "speedrun"))]
    num_bytes = sum(len(story.text) + len("<|endoftext|>") for story in stories)
    assert score["exact_bits_per_byte"] == pytest.approx(sum(story.bits for story in stories) / num_bytes)
    assert score["gap"] == score["bits_per_byte"] - score["exact_bits_per_byte"]
    assert not score["qualifies"]


def test_a_finished_run_is_scored_again(run, capsys):
    """Oracle: the same seed gives the same bits; a drawn seed gives others."""
    root, arguments = run
    first = json.loads((root / "speedrun.json").read_text())
    assert main(arguments) == 1
    assert json.loads((root / "speedrun.json").read_text()) == first
    drawn = [word for word in arguments if word not in ("--score-seed", "5")]
    assert main(drawn) == 1
    again = json.loads((root / "speedrun.json").read_text())
    assert again["seed"] != 5
    assert again["bits_per_byte"] != first["bits_per_byte"]
    assert "does not qualify" in capsys.readouterr().out


def test_the_training_stories_cannot_be_scored(run, monkeypatch):
    """Oracle: with the purposes made equal, seed 0 gives the training stories."""
    monkeypatch.setattr(speedrun, "derive_seed", lambda seed, purpose: seed)
    with refuses(ConfigError, "seed = 0"):
        speedrun.score_run(run[0], 0)


def test_another_text_is_refused(tmp_path):
    """Oracle: a run on files has no exact entropy."""
    run_tiny(
        make_world(tmp_path / "tiny"), tmp_path / "run", ["--training.num_steps=2", "--optim.schedule.warmup_steps=0"]
    )
    with refuses(ConfigError, str(tmp_path / "run"), "'files'"):
        speedrun.score_run(tmp_path / "run", 0)
