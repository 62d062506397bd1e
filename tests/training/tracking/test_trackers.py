"""What the trackers' own readers find of a run. Oracle: metrics.jsonl and the samples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from homespun.errors import ConfigError, MissingPackageError, RunError
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory
from homespun.training.events import StepTaken
from homespun.training.loop import train
from homespun.training.recorder import SAMPLE_RULE, Recorder
from homespun.training.run import open_run
from homespun.training.tracking.trackers import Trackers
from homespun.training.tracking.wandb import choose_mode
from refusals import refuses
from tiny import make_world
from wandb_file import read_history, read_records

BOTH = "--logging.track=[tensorboard, wandb]"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def no_account(tmp_path, monkeypatch):
    """Nobody is logged in, whoever runs the test."""
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


def run(world, root, *overrides, die_after=None):
    """Train as `homespun train` does; return what the trackers say of themselves."""

    def listen(event):
        record(event)
        track(event)
        if isinstance(event, StepTaken) and event.step == die_after:
            raise KeyboardInterrupt

    with open_run(load_recipe(world, overrides), root) as opened:
        trackers = Trackers(opened.directory, opened.config, opened.steps_done)
        with Recorder(opened.directory) as record, trackers as track:
            explanation = track.explanation
            train(opened, listen)
    return explanation


def expected_curves(root):
    """Every curve as (step, value), by the names that the trackers use."""
    curves = {}
    records, validations = RunDirectory(root).read_metrics()
    for record in records:
        figures = {
            "train/loss": record.loss,
            "train/lr": record.lr,
            "train/grad_norm": record.grad_norm,
            "train/tokens_per_second": record.tokens_per_second,
            "train/mfu": record.mfu,
            "train/memory_bytes": record.memory_bytes,
            "train/tokens": record.tokens,
            "train/seconds": record.seconds,
        } | {f"train/grad_norm/{component}": norm for component, norm in record.grad_norms.items()}
        for name, value in figures.items():
            curves.setdefault(name, []).append((record.step, value))
    for record in validations:
        for name in ("loss", "perplexity", "bits_per_byte", "tokens"):
            where = "val_whole" if record.whole else "val"
            curves.setdefault(f"{where}/{name}", []).append((record.step, getattr(record, name)))
    return curves


def tensorboard_of(root):
    found = EventAccumulator(str(root / "tensorboard"))
    found.Reload()
    return found


def wandb_files_of(root):
    """The files of all sessions, oldest first."""
    return sorted(root.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)


def check_tensorboard(root):
    """Compare curves and texts; 1e-6: TensorBoard stores float32."""
    found = tensorboard_of(root)
    curves = {name: [(point.step, point.value) for point in found.Scalars(name)] for name in found.Tags()["scalars"]}
    expected = expected_curves(root)
    assert curves.keys() == expected.keys()
    assert {"train/grad_norm/feed-forward", "val/bits_per_byte", "val_whole/loss"} <= curves.keys()
    for name, points in expected.items():
        assert [step for step, _ in curves[name]] == [step for step, _ in points], name
        assert [value for _, value in curves[name]] == pytest.approx([value for _, value in points], rel=1e-6), name
    shown = {point.step: point.tensor_proto.string_val[0].decode() for point in found.Tensors("samples/1/text_summary")}
    for path in RunDirectory(root).list_samples():
        text = path.read_text().removesuffix("\n").split(SAMPLE_RULE)[0]
        shown_lines = shown[int(path.stem.removeprefix("step-"))].splitlines()
        assert [line.removeprefix("    ") for line in shown_lines] == text.splitlines()
    (recipe,) = {point.tensor_proto.string_val[0] for point in found.Tensors("recipe/text_summary")}
    assert b"    name: tiny\n" in recipe


def check_wandb(root):
    """Compare curves, exactly, and texts: those of the latest session's file, which has the whole run."""
    *_, latest = wandb_files_of(root)
    assert latest.parent == (root / "wandb" / "latest-run").resolve()
    curves, samples = {}, {}
    for row in read_history(latest):
        step = row["_step"]
        for name, value in row.items():
            if name.startswith("samples"):
                samples[step] = value
            elif not name.startswith("_"):
                curves.setdefault(name, []).append((step, value))
    assert curves == expected_curves(root)
    assert [*samples] == [6, 12]
    tables = {int(path.name.split("_")[1]): path for path in latest.parent.glob("files/media/table/samples_*.json")}
    for path in RunDirectory(root).list_samples():
        table = json.loads(tables[int(path.stem.removeprefix("step-"))].read_text())
        assert [text for (text,) in table["data"]] == path.read_text().removesuffix("\n").split(SAMPLE_RULE)


def test_a_run_and_its_resumes_are_one_curve_without_a_step_twice(world, tmp_path):
    """The run dies after step 9, four steps past its checkpoint."""
    root = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(world, root, BOTH, die_after=9)
    assert [point.step for point in tensorboard_of(root).Scalars("train/loss")] == [*range(1, 9)]
    explanation = run(world, root, BOTH)
    assert str(root / "tensorboard") in explanation[0]
    assert f"offline; `wandb sync {root / 'wandb' / 'latest-run'}`" in explanation[1]
    check_tensorboard(root)
    check_wandb(root)
    records = [record for path in wandb_files_of(root) for record in read_records(path)]
    ids = {record.run.run_id for record in records if record.HasField("run")}
    assert ids == {(root / "wandb" / "run-id.txt").read_text().strip()}
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [1, 0]


def test_a_tracker_that_is_switched_on_later_has_the_whole_run(world, tmp_path):
    root = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(world, root, die_after=9)
    assert not (root / "tensorboard").exists()
    run(world, root, BOTH, "--logging.sampling.prompts=[Once, The fox]")
    check_tensorboard(root)
    check_wandb(root)


def test_the_recipe_is_the_config_of_the_wandb_run(world, tmp_path):
    root = tmp_path / "run"
    run(world, root, "--logging.track=[wandb]", "--training.num_steps=1", "--optim.schedule.warmup_steps=0")
    assert not (root / "tensorboard").exists()
    (run_record,) = [record.run for record in read_records(wandb_files_of(root)[0]) if record.HasField("run")]
    config = {item.key: json.loads(item.value_json) for item in run_record.config.update}
    assert config["optim"]["lr"] == 0.01
    assert config["execution"]["device"] == "cpu"
    assert (run_record.project, run_record.display_name) == ("homespun", "tiny")


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_before_anything_is_written(world, tmp_path, monkeypatch, tracker):
    monkeypatch.setitem(sys.modules, tracker, None)  # as if it were not installed
    with refuses(MissingPackageError, "logging.track", f"pip install {tracker}", "homespun[track]"):
        run(world, tmp_path / "run", f"--logging.track=[{tracker}]")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", ["[mlflow]", "[wandb, wandb]", "wandb"])
def test_other_trackers_are_refused(world, value):
    with refuses(ConfigError, "logging.track"):
        load_recipe(world, [f"--logging.track={value}"])


def test_a_server_that_cannot_be_reached_does_not_stop_the_run(world, tmp_path):
    """Nothing listens at port 9 of this machine. In a process of its own: W&B reads its variables once."""
    root = tmp_path / "run"
    command = [sys.executable, "-m", "homespun", "train", str(world), "--out", str(root), "--logging.track=[wandb]"]
    account = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_HTTP_TIMEOUT": "1"}
    done = subprocess.run(command, env=os.environ | account, timeout=28, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Weights & Biases: offline (" in done.stderr
    check_wandb(root)


def test_a_disabled_wandb_writes_no_run(world, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run(world, tmp_path / "run", "--logging.track=[wandb]") == ["Weights & Biases: disabled"]
    assert not wandb_files_of(tmp_path / "run")


def test_a_damaged_run_id_is_refused(world, tmp_path):
    root = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(world, root, die_after=6)
    (root / "wandb").mkdir()
    (root / "wandb" / "run-id.txt").write_text("a/../b\n")
    with refuses(RunError, root / "wandb" / "run-id.txt", "a/../b"):
        run(world, root, "--logging.track=[wandb]")


NETRC = "machine api.wandb.ai\n  login user\n  password x\nmachine wandb.example.org:8080 login user password x\n"


@pytest.mark.parametrize(
    ("environ", "netrc", "expected"),
    [
        ({}, None, "offline"),
        ({}, NETRC, "online"),
        ({}, "machine api.forge.coreweave.com login user password x\n", "online"),
        ({}, "machine", "offline"),
        ({}, "machine example.org login user password x\n", "offline"),
        ({"WANDB_BASE_URL": "https://wandb.example.org:8080"}, NETRC, "online"),
        ({"WANDB_BASE_URL": "https://other.example.org"}, NETRC, "offline"),
        ({"WANDB_API_KEY": "x"}, None, "online"),
        ({"WANDB_API_KEY": "x", "WANDB_MODE": "offline"}, NETRC, "offline"),
        ({"WANDB_MODE": "online"}, None, "offline"),  # it would prompt
        ({"WANDB_MODE": "disabled"}, NETRC, "disabled"),
    ],
)
def test_wandb_is_online_only_where_it_need_not_ask(tmp_path, environ, netrc, expected):
    """Oracle: W&B's documentation of its variables, and of where `wandb login` writes."""
    file: Path = tmp_path / "netrc"
    if netrc is not None:
        file.write_text(netrc)
        file.chmod(0o600)
    assert choose_mode(environ | {"NETRC": str(file)}) == expected


def test_an_unknown_mode_is_refused():
    with refuses(ConfigError, "WANDB_MODE = 'of'", "offline"):
        choose_mode({"WANDB_MODE": "of"})
