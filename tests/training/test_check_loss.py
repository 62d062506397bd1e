"""A recorded loss is checked by scoring the checkpoint again. Oracle: the tiny run's own records, then altered ones."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from homespun.checkpoint.layout import read_tensors, write_tensors
from homespun.cli.main import main
from homespun.errors import DataError, MissingFileError, RunError
from homespun.records import RunDirectory
from homespun.training import environment
from homespun.training.check_loss import check_losses
from refusals import refuses
from tiny import make_world, run_tiny

OVERRIDES = [
    *("--training.num_steps", "10", "--logging.validation_every", "2", "--logging.checkpoint_every", "2"),
    *("--optim.lr", "0.3", "--optim.schedule.kind", "constant"),
]
"""So high a rate that an earlier checkpoint than the last is the best."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    world = make_world(folder / "world")
    run_tiny(world, folder / "run", OVERRIDES)
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy to alter, in a directory without a git working tree, as if homespun were installed."""
    monkeypatch.setattr(environment, "find_commit", lambda folder: (None, False))
    monkeypatch.setattr("homespun.training.check_loss.find_commit", lambda folder: (None, False))
    shutil.copytree(trained, tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    environ = json.loads(directory.environment.read_text())
    environ["sessions"][0] |= {"commit": None, "uncommitted_changes": False}
    directory.environment.write_text(json.dumps(environ))
    return directory


def alter_losses(directory, factor):
    """Multiply every recorded validation loss."""
    directory.metrics.write_text(
        re.sub(
            r'"loss": ([\d.]+), "perplexity"',
            lambda match: f'"loss": {float(match[1]) * factor!r}, "perplexity"',
            directory.metrics.read_text(),
        )
    )
    result = directory.read_result()
    assert result is not None
    values = json.loads(directory.result.read_text())
    values["validation"]["loss"] *= factor
    directory.result.write_text(json.dumps(values))


def forget_conditions(directory):
    """Take out of a run's files what older versions did not write."""
    directory.environment.write_text(re.sub(r', "computed_on": ".*?"', "", directory.environment.read_text()))


def test_what_was_recorded_here_comes_out_to_the_bit(run):
    latest, best = check_losses(run.root)
    assert (latest.names, latest.recorded.whole, latest.step) == (("latest",), True, 10)
    assert (best.names, best.recorded.whole) == (("best",), False)
    assert best.step < 10
    assert latest.holds
    assert latest.is_exact
    assert best.holds
    assert best.is_exact
    assert best.found.num_tokens == best.recorded.num_tokens


def test_a_checkpoint_that_is_latest_and_best_is_scored_once(trained, tmp_path):
    world = make_world(tmp_path / "world")
    run_tiny(world, tmp_path / "run", stop_after=8, overrides=["--logging.checkpoint_every", "4"])
    (check,) = check_losses(tmp_path / "run")
    assert (check.names, check.step, check.is_exact) == (("latest", "best"), 8, True)


@pytest.mark.parametrize(("factor", "exact_holds", "other_holds"), [(1 + 1e-9, False, True), (1.01, False, False)])
def test_an_altered_loss_holds_only_within_the_rounding_of_another_machine(run, factor, exact_holds, other_holds):
    """1e-9 is below any tolerance but that of the same machine, which is none; 1 % above all."""
    alter_losses(run, factor)
    assert [check.holds for check in check_losses(run.root)] == [exact_holds] * 2
    forget_conditions(run)
    checks = [*check_losses(run.root)]
    assert [check.holds for check in checks] == [other_holds] * 2
    assert not any(check.is_exact for check in checks)


def test_altered_weights_are_noticed(run):
    """Planted: one number of the head, in a file whose hash is right."""
    path = run.list_checkpoints()[-1]
    tensors, metadata = read_tensors(memoryview(bytearray(path.read_bytes())), str(path))
    del metadata["sha256"]
    tensors["model.lm_head.weight"][3, 3] += 0.5
    with path.open("wb") as file:
        write_tensors(file, tensors, metadata)
    latest, best = check_losses(run.root)
    assert not latest.holds
    assert best.holds


def test_result_and_metrics_are_both_checked(run):
    """Planted: a better loss in result.json alone."""
    values = json.loads(run.result.read_text())
    values["validation"]["loss"] -= 0.1
    run.result.write_text(json.dumps(values))
    metrics, result, best = check_losses(run.root)
    assert (metrics.source, metrics.holds) == (run.metrics, True)
    assert (result.source, result.holds) == (run.result, False)
    assert best.holds


def test_other_conditions_are_named(run):
    """Oracle: what was changed: a commit, the micro-batch of a resumed run, the instructions."""
    with run.metrics.open("a") as file:
        change = {"step": 10, "key": "execution.micro_batch", "before": "2", "after": "4", "kind": "change"}
        file.write(json.dumps(change) + "\n")
    assert "execution.micro_batch" in next(check_losses(run.root)).difference
    values = json.loads(run.environment.read_text())
    values["sessions"][0]["commit"] = "abc123"
    run.environment.write_text(json.dumps(values))
    assert "abc123" in next(check_losses(run.root)).difference
    values["sessions"][0]["computed_on"] = "an abacus"
    run.environment.write_text(json.dumps(values))
    assert "an abacus" in next(check_losses(run.root)).difference


@pytest.mark.slow
def test_other_instructions_stay_within_the_tolerance(run):
    """Oracle: the kernels' AVX2 code, and torch's operations where bfloat16 is without instructions."""
    program = "import sys; from homespun.cli.main import main; sys.exit(main(['report', '--check', sys.argv[1]]))"
    for level in ("avx2", "portable"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(run.root)],
            env=os.environ | {"HOMESPUN_INSTRUCTIONS": level},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_data_may_be_elsewhere_but_not_others(run, trained, tmp_path):
    elsewhere, others = tmp_path / "elsewhere", trained.parent / "world" / "train"
    shutil.copytree(trained.parent / "world" / "valid", elsewhere)
    assert all(check.is_exact for check in check_losses(run.root, str(elsewhere)))
    with refuses(DataError, others, "--data"):
        [*check_losses(run.root, str(others))]
    with refuses(MissingFileError, "nowhere"):
        [*check_losses(run.root, "nowhere")]


def test_a_run_without_a_record_is_refused(trained, tmp_path):
    run_tiny(trained.parent / "world" / "tiny.yaml", tmp_path / "run", stop_after=3)
    with refuses(RunError, tmp_path / "run"):
        [*check_losses(tmp_path / "run")]
    with refuses(MissingFileError, tmp_path / "none"):
        [*check_losses(tmp_path / "none")]


def test_the_command_says_whether_losses_hold(run, capsys):
    assert main(["report", "--check", str(run.root)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("the same to the bit") == 2
    assert not run.report.exists()
    alter_losses(run, 0.99)
    assert main(["report", "--check", str(run.root)]) == 1
    assert "does not hold" in capsys.readouterr().out
    assert main(["report", "--check", str(run.root / "nothing")]) == 2
    assert main(["report", str(run.root), "--data", "valid"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
