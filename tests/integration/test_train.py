"""From two text files to a finished run, stopped and taken up again in between."""

import json
import shutil
import signal

import pytest
import torch

from homespun.accounting import count_parameters
from homespun.cli.main import main
from homespun.errors import ConfigError, DamagedCheckpointError, DataError, MissingFileError, RunError, StorageError
from homespun.generation import decode
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.records import ChangeRecord, RunDirectory, step_of
from homespun.runs.load import load_run
from homespun.seeding import derive_seed
from homespun.training.events import CheckpointSaved, StepTaken
from homespun.training.run import open_run
from refusals import refuses
from tiny import figures, make_world
from tiny import run_tiny as run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A recipe with all it needs: text, tokenizer, token data sets."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    """A run that was never stopped."""
    root = tmp_path_factory.mktemp("whole") / "run"
    run(world, root)
    return root


def test_a_run_leaves_what_records_say(whole):
    directory = RunDirectory(whole)
    train_records, validations = directory.read_metrics()
    assert [r.step for r in train_records] == list(range(1, 13))
    assert [(r.step, r.whole) for r in validations] == [(4, False), (8, False), (12, False), (12, True)]
    assert [path.name for path in directory.list_checkpoints()] == [
        "step-000010.safetensors",
        "step-000012.safetensors",
    ]
    assert [path.name for path in directory.list_samples()] == ["step-000006.txt", "step-000012.txt"]
    result = directory.read_result()
    assert result is not None
    assert (result.steps, result.tokens) == (12, 12 * 4 * 16)
    assert result.validation.loss == validations[-1].loss
    assert all(0 < r.mfu < 1 and r.tokens_per_second > 0 for r in train_records)
    environment = json.loads(directory.environment.read_text())
    assert environment["peak_flops"]["flops"] > 0
    assert environment["device"]["reason"]
    assert [session.steps_done for session in directory.read_sessions()] == [0]
    assert "auto" not in directory.recipe.read_text()


def test_it_learns(whole):
    train_records, _ = RunDirectory(whole).read_metrics()
    assert train_records[-1].loss < train_records[0].loss - 0.3


@pytest.mark.parametrize("stops", [[3], [5], [7], [1, 2, 11]])
def test_resumed_equals_uninterrupted_bit_for_bit(world, whole, tmp_path, stops):
    """Oracle: the run that was never stopped; losses, norms, rates, weights and optimizer state."""
    root = tmp_path / "run"
    for stop in stops:
        assert run(world, root, stop_after=stop) is None
        assert RunDirectory(root).list_checkpoints()[-1].stem == f"step-{stop:06d}"
    assert run(world, root) is not None
    assert figures(root) == figures(whole)
    assert [session.steps_done for session in RunDirectory(root).read_sessions()] == [0, *stops]
    ours, theirs = (load_run(path, device="cpu").model.state_dict() for path in (root, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    for step in (6, 12):
        assert RunDirectory(root).sample_at(step).read_text() == RunDirectory(whole).sample_at(step).read_text()


def test_execution_and_logging_may_change_on_resume_and_the_learning_rate_may_not(world, tmp_path):
    """Oracle: the run that was never stopped; losses within float32 rounding, since sums are taken in another order."""
    root, unchanged, precision = tmp_path / "run", tmp_path / "unchanged", "--execution.precision=float32"
    run(world, unchanged, [precision])
    run(world, root, [precision], stop_after=5)
    with refuses(RunError, root, "optim.lr", "0.01", "0.02"):
        run(world, root, [precision, "--optim.lr=0.02"])
    assert run(world, root, [precision, "--execution.micro_batch=4", "--logging.log_every=3"]) is not None
    changes = [record for record in RunDirectory(root).iter_metrics() if isinstance(record, ChangeRecord)]
    assert changes == [
        ChangeRecord(step=5, key="execution.micro_batch", before="2", after="4"),
        ChangeRecord(step=5, key="logging.log_every", before="1", after="3"),
    ]
    expected = {record.step: record.loss for record in RunDirectory(unchanged).read_metrics()[0]}
    found = {record.step: record.loss for record in RunDirectory(root).read_metrics()[0]}
    assert list(found) == [1, 2, 3, 4, 5, 6, 9, 12]
    assert found == pytest.approx({step: expected[step] for step in found}, rel=1e-5)


def test_killed_run_loses_what_came_after_its_checkpoint_and_nothing_else(world, whole, tmp_path):
    """Oracle: the run that was never stopped. An exception stands for the kill."""
    root = tmp_path / "run"

    def die(event):
        if isinstance(event, StepTaken) and event.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(world, root, listener=die)
    with RunDirectory(root).metrics.open("a") as file:
        file.write('{"kind": "tra')
    run(world, root)
    assert figures(root) == figures(whole)


def test_evaluations_and_samples_leave_training_alone(world, whole, tmp_path):
    """Oracle: the same run with another rhythm of validations, samples and checkpoints."""
    root = tmp_path / "run"
    run(
        world,
        root,
        ["--logging.validation_every=1", "--logging.sampling.every=1", "--logging.checkpoint_every=1",
         "--logging.sampling.prompts=[A, B]"],
    )  # fmt: skip
    assert figures(root)[0] == figures(whole)[0]


def test_samples_are_what_each_prompt_gives_alone(world, tmp_path):
    """Oracle: `decode`, a prompt at a time; in float32, where a batch rounds too little to draw another token."""
    overrides = ["--logging.sampling.prompts=[Once, The fox met, '']", "--execution.precision=float32"]
    with open_run(load_recipe(world, overrides), tmp_path / "run") as opened:
        expected = [
            prompt
            + decode(
                opened.engine.model,
                opened.data.tokenizer,
                prompt,
                5,
                temperature=0.8,
                top_p=0.95,
                seed=derive_seed(opened.config.seed, f"sample {index} after step 0"),
                document_start=True,
            )
            for index, prompt in enumerate(["Once", "The fox met", ""])
        ]
        assert [sample.text for sample in opened.sample()] == expected


def test_run_crashed_between_last_checkpoint_and_result_only_finishes(world, whole, tmp_path):
    root = tmp_path / "run"
    shutil.copytree(whole, root)
    RunDirectory(root).result.unlink()
    result = run(world, root)
    assert result is not None
    assert figures(root) == figures(whole)


def test_finished_run_is_refused(world, whole):
    with refuses(RunError, whole, "finished"):
        open_run(load_recipe(world), whole).__enter__()


def test_another_recipe_is_refused_with_the_keys_that_differ(world, whole):
    with refuses(RunError, whole, "optim.lr", "0.01", "0.5"):
        open_run(load_recipe(world, ["--optim.lr", "0.5"]), whole).__enter__()


def test_directory_of_something_else_is_refused(world, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with refuses(RunError, tmp_path, "recipe.yaml"):
        open_run(load_recipe(world), tmp_path).__enter__()


@pytest.mark.parametrize("damage", ["truncate", "alter"])
def test_damaged_checkpoint_is_named_and_the_one_before_it_helps(world, whole, tmp_path, damage):
    root = tmp_path / "run"
    run(world, root, stop_after=7)
    newest = RunDirectory(root).list_checkpoints()[-1]
    content = bytearray(newest.read_bytes())
    if damage == "truncate":
        del content[-100:]
    else:
        content[-100] ^= 1
    newest.write_bytes(content)
    with open_run(load_recipe(world), root) as opened:
        assert opened.steps_done == 5
        (warning,) = [line for line in opened.explanation if line.startswith("warning: ")]
        assert "step-000007.safetensors.damaged" in warning
    assert (newest.parent / f"{newest.name}.damaged").read_bytes() == content
    run(world, root)
    assert figures(root) == figures(whole)


def test_without_an_intact_checkpoint_nothing_is_changed(world, tmp_path):
    root = tmp_path / "run"
    run(world, root, stop_after=7)
    checkpoints = RunDirectory(root).list_checkpoints()
    for path in checkpoints:
        path.write_bytes(path.read_bytes()[:-1])
    with refuses(DamagedCheckpointError, "step-000007.safetensors", "truncated"):
        run(world, root)
    assert RunDirectory(root).list_checkpoints() == checkpoints


def test_pinned_checkpoints_stay(world, tmp_path):
    """Oracle: the steps that the recipe names; of the others the latest, and the best."""
    flags = ["--logging.pin_checkpoints=[2,6]", "--logging.keep_checkpoints=1", "--logging.checkpoint_every=4"]
    run(world, tmp_path / "run", flags)
    directory = RunDirectory(tmp_path / "run")
    best = step_of(directory.best_checkpoint())
    assert {step_of(path) for path in directory.list_checkpoints()} == {2, 6, best, 12}


def test_a_run_whose_checkpoints_do_not_fit_is_refused(world, tmp_path, monkeypatch):
    """Oracle: by hand, bytes of weights and two moments, of four checkpoints: two kept, the best, one being written."""
    model = load_recipe(world).model
    needed = 4 * 3 * 4 * count_parameters(model)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed - 1))
    with refuses(ConfigError, tmp_path / "run", "4 checkpoints", "keep_checkpoints = 2"):
        run(world, tmp_path / "run")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=needed))
    run(world, tmp_path / "run", stop_after=1)


def test_changed_data_are_refused_on_resume(world, tmp_path):
    root = tmp_path / "run"
    run(world, root, stop_after=3)
    manifest = world.parent / "valid" / "manifest.json"
    before = manifest.read_text()
    manifest.write_text(before + "\n")
    try:
        with refuses(RunError, "data.valid"):
            run(world, root)
    finally:
        manifest.write_text(before)


def test_full_disk_leaves_the_checkpoints_that_were_there(world, whole, tmp_path, monkeypatch):
    root = tmp_path / "run"

    def refuse(event):
        if isinstance(event, CheckpointSaved):
            monkeypatch.setattr("os.fsync", full)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with refuses(StorageError, "disk is full"):
        run(world, root, listener=refuse)
    monkeypatch.undo()
    assert [path.stem for path in RunDirectory(root).list_checkpoints()] == ["step-000005"]
    run(world, root)
    assert figures(root) == figures(whole)


def test_missing_data_say_what_to_run_and_leave_nothing(world, tmp_path):
    root = tmp_path / "run"
    with refuses(MissingFileError, "data.train = ", tmp_path / "none", "homespun prepare RECIPE"):
        open_run(load_recipe(world, ["--data.train", str(tmp_path / "none")]), root).__enter__()
    with refuses(MissingFileError, "data.tokenizer = ", tmp_path / "none", "homespun prepare RECIPE"):
        open_run(load_recipe(world, ["--data.tokenizer", str(tmp_path / "none")]), root).__enter__()
    assert not root.exists()


def test_context_longer_than_the_data_is_refused(world, tmp_path):
    overrides = ["--model.context_length", "100000"]
    with refuses(DataError, "/train: ", "context_length = 100,000", "100,001", "shorten the context"):
        open_run(load_recipe(world, overrides), tmp_path / "run").__enter__()


def test_data_of_another_tokenizer_are_refused(world, tmp_path):
    other = str(tmp_path / "tokenizer")
    overrides = [f"--data.{name}={tmp_path / name}" for name in ("tokenizer", "train", "valid")]
    prepare(load_recipe(world, [*overrides, "--tokenizer.vocab_size=270"]))
    with pytest.raises(DataError, match="made with the tokenizer"):
        open_run(load_recipe(world, ["--data.tokenizer", other]), tmp_path / "run").__enter__()
    with pytest.raises(DataError, match=r"tokenizer"):
        prepare(load_recipe(world, ["--data.tokenizer", other]))


def test_prepare_keeps_what_is_there(world):
    told = []
    prepare(load_recipe(world), on_message=told.append)
    assert [line.split()[0] for line in told] == ["kept", "kept", "kept"]


def test_prepare_needs_the_text_no_more_once_it_is_encoded(world, tmp_path):
    gone = [f"--source.{part}={tmp_path / part}.txt" for part in ("train", "valid")]
    told = []
    prepare(load_recipe(world, gone), on_message=told.append)
    assert [line.split()[0] for line in told] == ["kept", "kept", "kept"]


def test_command_line_goes_the_same_way(world, whole, tmp_path, capsys):
    root = tmp_path / "run"
    assert main(["train", str(world), "--out", str(root)]) == 0
    assert figures(root) == figures(whole)
    capsys.readouterr()
    assert main(["evaluate", str(root), "--json", "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    result = RunDirectory(root).read_result()
    assert result is not None
    assert found["loss"] == result.validation.loss
    assert main(["train", str(world), "--out", str(root)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interrupt_saves_and_exits_130(world, whole, tmp_path, monkeypatch, capsys):
    root = tmp_path / "run"
    from homespun.cli.console import TrainingConsole

    def interrupt(self, event):
        if isinstance(event, StepTaken) and event.step == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingConsole, "__call__", interrupt)
    assert main(["train", str(world), "--out", str(root)]) == 130
    assert RunDirectory(root).list_checkpoints()[-1].stem in ("step-000006", "step-000007")
    assert "resumes" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["train", str(world), "--out", str(root)]) == 0
    assert figures(root) == figures(whole)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "recipe comes first"),
        (["--optim.lr", "1"], "recipe comes first"),
        (["none.yaml"], "none.yaml: no such file"),
    ],
)
def test_wrong_command_lines_are_one_line(arguments, told, capsys):
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_help_lists_every_key_with_its_meaning(capsys):
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--out DIR" in text
    assert "--optim.schedule.warmup_steps" in text
    assert "Base of RoPE" in text
