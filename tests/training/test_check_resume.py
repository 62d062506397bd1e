"""`homespun check-resume`: real runs in real processes, stopped and killed."""

import random
from dataclasses import replace

import pytest
import yaml

from homespun.cli.main import main
from homespun.errors import ConfigError, MissingFileError
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.training.check_resume import PlannedSession, ResumeCheck, Variant, other_micro_batches
from refusals import refuses

pytestmark = pytest.mark.timeout(120)  # some thirty processes


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe with its data, an epoch of which ends within the fourth step."""
    root = tmp_path_factory.mktemp("world")
    (root / "train.txt").write_text("".join(f"A fox met {i} geese.<|endoftext|>" for i in range(12)))
    (root / "valid.txt").write_text("".join(f"A hen met {i} geese.<|endoftext|>" for i in range(12)))
    values = {
        "name": "tiny",
        "source": {"corpus": "files", "train": str(root / "train.txt"), "valid": str(root / "valid.txt")},
        "tokenizer": {"vocab_size": 270},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {"vocab_size": 270, "context_length": 8, "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ff": 16},
        "training": {"num_steps": 9, "batch_size": 4},
        "optim": {"schedule": {"warmup_steps": 2}},
        "execution": {"micro_batch": 4, "device": "cpu", "precision": "float32"},
        "logging": {"sampling": {"prompts": ["A fox"]}},
    }
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    prepare(load_recipe(path))
    return path


@pytest.fixture(scope="module")
def check(recipe, tmp_path_factory):
    check = ResumeCheck(load_recipe(recipe), 6, tmp_path_factory.mktemp("check"))
    check.train_expected()
    return check


def test_the_command_finds_the_same_bits(recipe, capsys):
    """Oracle: the promise; a run's bits do not depend on what interrupts it."""
    assert main(["check-resume", str(recipe), "--steps", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    same = [line for line in lines if line.startswith("same bits: ")]
    for words in (
        "uninterrupted once more", "after step 3", "after step 2, 4", "after step 1, 3, 6",
        "around the end of an epoch", "with validations and samples", "killed and resumed, ",
    ):  # fmt: skip
        assert any(words in line for line in same), (words, lines)
    assert "promises broken: 0" in lines[-1]
    assert "seconds" in lines[-1]


def test_processes_are_killed_and_progress_is_shown(check):
    killed = next(variant for variant in check.variants if variant.name == "killed and resumed")
    steps = []
    outcome = check.check(killed, lambda done, total: steps.append((done, total)), random.Random(0))
    assert outcome.difference is None
    assert len(outcome.kills) == 2
    assert all(f"after step {kill.step}" in str(outcome) for kill in outcome.kills)
    assert steps[0] == (0, 6)
    assert steps[-1] == (6, 6)


def test_other_bits_are_found_and_break_a_promise_only_where_there_is_one(check, recipe):
    """Oracle: products in bfloat16, which are others from the first step on."""
    config = load_recipe(recipe, ["--execution.precision=bfloat16", "--logging.log_every=1"])
    for is_promised in (True, False):
        sessions = (PlannedSession(stop=6, config=config),)
        outcome = check.check(Variant(name="bfloat16", sessions=sessions, is_promised=is_promised))
        assert outcome.breaks_promise == is_promised
        assert "bfloat16: step 1 is the first that differs: " in str(outcome)
        assert "optimizer state token_embeddings.weight.exp_avg: " in str(outcome)


def test_variants_change_execution_and_logging_only(check, recipe):
    """Oracle: what a run may change when it resumes; anything else would be another run."""
    config = load_recipe(recipe)
    for variant in check.variants:
        for session in variant.sessions:
            same = replace(session.config, execution=config.execution, logging=config.logging)
            assert same == config


@pytest.mark.parametrize("steps", [3, 9])
def test_impossible_numbers_of_steps_are_refused(recipe, tmp_path, steps):
    with refuses(ConfigError, f"--steps {steps}", "training.num_steps = 9"):
        ResumeCheck(load_recipe(recipe), steps, tmp_path)


def test_missing_data_are_refused_with_the_remedy(recipe, tmp_path, capsys):
    missing = f"--data.train={tmp_path / 'none'}"
    with refuses(MissingFileError, "data.train", tmp_path / "none", "homespun prepare RECIPE"):
        ResumeCheck(load_recipe(recipe, [missing]), 6, tmp_path)
    assert main(["check-resume", str(recipe), missing]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_of_a_process_is_the_same_error_here(recipe, tmp_path):
    """Oracle: a run to begin with that is not there, which only opening the run notices."""
    check = ResumeCheck(load_recipe(recipe, [f"--training.from_run={tmp_path / 'none'}"]), 6, tmp_path / "check")
    with refuses(MissingFileError, tmp_path / "none"):
        check.train_expected()


@pytest.mark.parametrize(
    ("batch_size", "micro_batch", "expected"),
    [
        (8, 8, [4, 2, 1]),
        (8, 4, [2, 1]),
        (8, 1, [2]),
        (128, 128, [64, 32]),
        (12, 12, [6, 4, 1]),
        (7, 7, [1]),
        (1, 1, []),
    ],
)
def test_other_micro_batches_are_divisors_that_need_no_more_memory(batch_size, micro_batch, expected):
    """Derived by hand."""
    assert other_micro_batches(batch_size, micro_batch) == expected
