"""Sweeps in their directory. Oracles: plain training of the same recipes, counts of what was trained."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from homespun.cli.main import main
from homespun.errors import RunError
from homespun.experiments.plan import load_plan
from homespun.experiments.sweep import open_sweep
from homespun.records import RunDirectory
from homespun.training import environment
from homespun.training.events import StepTaken
from homespun.training.peak import Peak
from refusals import refuses
from tiny import figures, make_world, run_tiny

PLAN = {
    "name": "widths", "question": "Is wider better?", "base": "tiny.yaml", "budget": {"steps": 6}, "seeds": [0, 1],
    "variant_seeds": 2, "baseline": "base",
    "variants": [{"name": "base"}, {"name": "wide", "set": {"model.d_ff": 64}}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def quick_peak(monkeypatch):
    monkeypatch.setattr(environment, "find_peak", lambda device, precision: Peak(flops=1e12, reason="not measured"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "tiny")


def begin(world, root, **changes):
    path = world.with_name(f"{root.name}.yaml")
    path.write_text(yaml.safe_dump(PLAN | changes, sort_keys=False))
    return open_sweep(load_plan(path), world.parent, root)


def test_runs_are_those_of_the_recipes(world, tmp_path):
    """Oracle: `train` on the same recipes without a sweep, record for record."""
    sweep = begin(world, tmp_path / "sweep")
    assert sweep.work(threads=1)
    for run in sweep.list_runs():
        flags = [f"--model.d_ff={run.config.model.d_ff}", f"--seed={run.seed}", "--training.num_steps=6"]
        run_tiny(world, tmp_path / run.key, flags)
        assert figures(sweep.run_directory(run).root) == figures(tmp_path / run.key)


def test_the_summary_says_what_was_trained(world, tmp_path):
    """Oracle: the runs' own results."""
    sweep = begin(world, tmp_path / "sweep")
    sweep.work(threads=1)
    found = sweep.directory.read()
    assert [(run.variant, run.seed, run.status, run.num_steps, run.tokens) for run in found.runs] == [
        (variant, seed, "finished", 6, 6 * 64) for variant in ("base", "wide") for seed in (0, 1)
    ]
    for run in found.runs:
        result = RunDirectory(sweep.directory.run_at(run)).read_result()
        assert run.measures["bits_per_byte"] == result.validation.bits_per_byte
        assert run.seconds == result.seconds
    (comparison,) = found.comparisons
    by_seed = {
        variant: [run.measures["bits_per_byte"] for run in found.runs if run.variant == variant]
        for variant in ("base", "wide")
    }
    differences = [wide - base for base, wide in zip(by_seed["base"], by_seed["wide"], strict=True)]
    assert comparison.difference == pytest.approx(sum(differences) / 2)
    assert comparison.num_pairs == 2


def test_a_finished_run_is_not_trained_again(world, tmp_path):
    """Oracle: the events of a second call: none."""
    sweep = begin(world, tmp_path / "sweep")
    sweep.work(threads=1)
    events = []
    assert begin(world, tmp_path / "sweep").work(listener=lambda run, event: events.append(event))
    assert events == []


def test_a_sweep_that_is_stopped_resumes_in_the_middle_of_a_run(world, tmp_path):
    """Oracle: an uninterrupted sweep, record for record, and the number of steps taken in all."""
    steps = []

    def listen(_run, event):
        if isinstance(event, StepTaken):
            steps.append(event.step)

    sweep = begin(world, tmp_path / "stopped")
    assert not sweep.work(threads=1, stop_asked=lambda: len(steps) >= 8, listener=listen)
    assert sweep.summarize().conclusions[-1] == "3 of 4 runs are not finished: base, wide."
    assert begin(world, tmp_path / "stopped").work(threads=1, listener=listen)
    whole = begin(world, tmp_path / "whole")
    whole.work(threads=1)
    assert len(steps) == 4 * 6
    for run in whole.list_runs():
        assert figures(sweep.run_directory(run).root) == figures(whole.run_directory(run).root)


def test_a_run_that_diverges_is_recorded_and_not_repeated(world, tmp_path):
    """Oracle: a rate at which float32 overflows: the record names the step, and the sweep ends."""
    variants = [
        {"name": "base"},
        {"name": "mad", "set": {"optim.lr": 9e5, "optim.weight_decay": 0, "model.norm": "none"}},
    ]
    sweep = begin(world, tmp_path / "sweep", variants=variants, budget={"steps": 12})
    assert sweep.work(threads=1)
    found = sweep.directory.read()
    mad = [run for run in found.runs if run.variant == "mad"]
    assert {run.status for run in mad} == {"diverged"}
    assert all(run.failure and run.tokens < 12 * 64 for run in mad)
    assert found.comparisons[0].num_diverged == 2
    assert any("mad" in sentence and "2 of its runs diverged" in sentence for sentence in found.conclusions)


def test_sweeps_that_share_a_directory_share_runs(world, tmp_path):
    """Oracle: the second plan's baseline is not trained."""
    path = world.with_name("one.yaml")
    path.write_text(yaml.safe_dump(PLAN, sort_keys=False))
    shared = tmp_path / "shared"
    open_sweep(load_plan(path), world.parent, tmp_path / "one", runs_root=shared).work(threads=1)
    path.write_text(
        yaml.safe_dump(
            PLAN | {"name": "two", "variants": [{"name": "base"}, {"name": "x", "set": {"model.d_ff": 48}}]},
            sort_keys=False,
        )
    )
    trained = set()
    two = open_sweep(load_plan(path), world.parent, tmp_path / "two", runs_root=shared)
    assert two.work(threads=1, listener=lambda run, event: trained.add(run.variant))
    assert trained == {"x"}
    assert all(two.directory.run_at(run).is_dir() for run in two.directory.read().runs)


def test_halving_keeps_the_better_half_and_whole_runs(world, tmp_path):
    """Oracle: by hand: of four variants and the baseline, the last round has the best two and the baseline."""
    variants = [{"name": "base"}, *({"name": f"f{d_ff}", "set": {"model.d_ff": d_ff}} for d_ff in (8, 16, 48, 64))]
    sweep = begin(
        world,
        tmp_path / "sweep",
        variants=variants,
        variant_seeds=1,
        seeds=[0],
        halving={"fractions": [0.5, 1], "keep": 0.4},
    )
    assert sweep.work(threads=1)
    runs = sweep.directory.read().runs
    first = {run.variant: run.measures["bits_per_byte"] for run in runs if run.num_steps == 3}
    last = {run.variant for run in runs if run.num_steps == 6}
    assert len(first) == 5
    assert last == {*sorted(first, key=first.get)[:2], "base"}


def test_another_plan_is_refused(world, tmp_path):
    """Oracle: the message names what differs."""
    begin(world, tmp_path / "sweep")
    with refuses(RunError, str(tmp_path / "sweep"), "budget, measure"):
        begin(world, tmp_path / "sweep", budget={"steps": 7}, measure="loss")


def test_a_sweep_of_an_older_version_continues(world, tmp_path):
    """Oracle: keys that its plan.yaml lacks have their defaults."""
    sweep = begin(world, tmp_path / "sweep")
    recorded = yaml.safe_load(sweep.directory.plan.read_text())
    del recorded["halving"], recorded["variants"][0]["base"]
    sweep.directory.plan.write_text(yaml.safe_dump(recorded, sort_keys=False))
    begin(world, tmp_path / "sweep")
    sweep.directory.plan.write_text("name: nothing else\n")
    with refuses(RunError, str(sweep.directory.plan), "question"):
        begin(world, tmp_path / "sweep")


def test_the_command_trains_with_two_workers(world, tmp_path, capsys):
    """Oracle: the finished runs, and the sentences of sweep.json."""
    path = world.with_name("command.yaml")
    path.write_text(yaml.safe_dump(PLAN | {"budget": {"steps": 2}}, sort_keys=False))
    out = tmp_path / "sweep"
    assert main(["sweep", str(path), "--out", str(out), "--workers", "2", "--publish", str(tmp_path)]) == 0
    found = json.loads((out / "sweep.json").read_text())
    assert [run["status"] for run in found["runs"]] == ["finished"] * 4
    printed = capsys.readouterr().out
    assert all(sentence in printed for sentence in found["conclusions"])
    published = json.loads((tmp_path / "widths.json").read_text())
    assert {key: published[key] for key in found} == found
    assert published["data"][0]["tokens"] > 0
    assert (tmp_path / "widths.svg").read_text().startswith("<?xml")


def test_workers_that_fail_are_reported(world, tmp_path, capsys):
    """Oracle: exit code 2 and one line that names the sweep; a worker cannot write where a file is in the way."""
    path = world.with_name("failing.yaml")
    path.write_text(yaml.safe_dump(PLAN | {"budget": {"steps": 2}}, sort_keys=False))
    out = tmp_path / "sweep"
    out.mkdir()
    (out / "runs").write_text("in the way")
    assert main(["sweep", str(path), "--out", str(out)]) == 2
    assert str(out) in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_fifty_moments_with_two_workers_every_run_is_finished_once(world, tmp_path):
    """Oracle: a sweep that nobody killed, record for record; no step of a finished run is taken again."""
    path = world.with_name("killed.yaml")
    plan = PLAN | {"budget": {"steps": 40}, "seeds": [0, 1, 2], "variant_seeds": 3}
    path.write_text(yaml.safe_dump(plan, sort_keys=False))
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "homespun", "sweep", str(path), "--out", str(out), "--workers", "2"]
    flags = ["--logging.checkpoint_every=3", "--logging.keep_checkpoints=1"]
    finished = {}
    for kill in range(50):
        process = subprocess.Popen(
            [*command, *flags], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1.5 + 0.1 * (kill * 7919 % 50))  # between the start of Python and the end of some runs
        # Every other time the display alone dies, and its workers stop by themselves; else all of them die.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
        for child in map(int, children if kill % 2 else []):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()
        for result in sorted(out.glob("runs/*/result.json")):
            stamp = (result.read_bytes(), result.stat().st_mtime_ns)
            assert finished.setdefault(result, stamp) == stamp, "a finished run was trained again"
    subprocess.run([*command, *flags], check=True, timeout=600)
    killed = open_sweep(load_plan(path), world.parent, out, flags=flags)
    whole = open_sweep(load_plan(path), world.parent, tmp_path / "whole", flags=flags)
    whole.work(threads=1)
    assert all(run.status == "finished" for run in killed.directory.read().runs)
    for run in whole.list_runs():
        assert figures(killed.run_directory(run).root) == figures(whole.run_directory(run).root)
