"""Which recipes resume a run, what is recorded when a setting changes, and what is refused."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homespun.errors import BusyError, ConfigError, RunError, StorageError
from homespun.locks import hold_lock
from homespun.recipe.load import load_recipe
from homespun.records import ChangeRecord, RunDirectory, TrainRecord
from homespun.runs.claim import claim_run_directory, cut_metrics
from refusals import refuses

RECIPE = """
name: tiny
source: {corpus: files, train: train.txt, valid: valid.txt}
tokenizer: {vocab_size: 300}
data: {tokenizer: data/tokenizer, train: data/train, valid: data/valid}
model: {vocab_size: 300, context_length: 16, d_model: 16, num_layers: 1, num_heads: 2, d_ff: 32}
optim: {lr: 3e-3, schedule: {kind: SCHEDULE}}
training: {num_steps: 20, batch_size: 4}
execution: {micro_batch: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    def load(*overrides, schedule="cosine"):
        path = tmp_path / "tiny.yaml"
        path.write_text(RECIPE.replace("SCHEDULE", schedule))
        return load_recipe(path, [f"--{override}" for override in overrides])

    return load


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path / "run")


def train_record(step):
    return TrainRecord(
        step=step, tokens=step * 8, loss=1 / 3, lr=0.1, grad_norm=2.0, tokens_per_second=5.0, mfu=0.5, seconds=1.0
    )


def write_metrics(directory, *steps):
    lines = [json.dumps(vars(train_record(step))) + "\n" for step in steps]
    directory.metrics.write_text("".join(lines))


def stand_at(directory, step):
    """A run whose latest checkpoint is of `step`: only its name is looked at here."""
    directory.checkpoints.mkdir(exist_ok=True)
    directory.checkpoint_at(step).touch()


def test_what_is_not_fixed_changes_and_is_recorded(recipe, directory):
    """Oracle: the two recipes."""
    claim_run_directory(directory.root, recipe())
    write_metrics(directory, 5, 10, 15)
    stand_at(directory, 10)
    requested = recipe("execution.micro_batch=4", "logging.log_every=1")
    expected = [
        ChangeRecord(step=10, key="execution.micro_batch", before="2", after="4"),
        ChangeRecord(step=10, key="logging.log_every", before="10", after="1"),
    ]
    assert claim_run_directory(directory.root, requested)[1] == expected
    assert list(directory.iter_metrics()) == [train_record(5), train_record(10), *expected]
    assert load_recipe(directory.recipe) == requested
    assert claim_run_directory(directory.root, requested)[1] == []


def test_a_fixed_key_is_refused_with_both_values(recipe, directory):
    claim_run_directory(directory.root, recipe())
    before = directory.recipe.read_bytes()
    with refuses(RunError, directory.root, "optim.lr", "0.003", "0.5"):
        claim_run_directory(directory.root, recipe("optim.lr=0.5", "logging.log_every=1"))
    assert directory.recipe.read_bytes() == before
    assert not directory.metrics.exists()


@pytest.mark.parametrize(
    ("schedule", "num_steps", "steps_done", "grows"),
    [
        ("constant", 30, 20, True),
        ("constant", 19, 10, False),
        ("wsd, decay_steps: 8", 30, 12, True),
        ("wsd, decay_steps: 8", 30, 14, False),
        ("cosine", 30, 10, False),
        ("linear", 30, 10, False),
    ],
)
def test_a_run_is_trained_longer_where_its_schedule_allows_it(
    recipe, directory, schedule, num_steps, steps_done, grows
):
    """Oracle: the learning rates of the steps taken so far, in runs of both lengths."""
    claim_run_directory(directory.root, recipe(schedule=schedule))
    stand_at(directory, steps_done)
    directory.result.write_text("{}")
    longer = recipe(f"training.num_steps={num_steps}", schedule=schedule)
    if grows:
        assert [change.key for change in claim_run_directory(directory.root, longer)[1]] == ["training.num_steps"]
        assert not directory.result.exists()
    else:
        with refuses(RunError, directory.root, "training.num_steps", "20", num_steps):
            claim_run_directory(directory.root, longer)
        assert directory.result.exists()


def test_a_finished_run_is_refused(recipe, directory):
    claim_run_directory(directory.root, recipe())
    directory.result.write_text("{}")
    with refuses(RunError, directory.root, "training.num_steps"):
        claim_run_directory(directory.root, recipe("logging.log_every=1"))


def test_temporary_files_of_a_killed_run_are_removed_and_others_stay(recipe, directory):
    claim_run_directory(directory.root, recipe())
    stand_at(directory, 10)
    ours = [
        directory.root / ".recipe.yaml.0123456789ab.tmp",
        directory.checkpoints / ".step-000005.safetensors.0123456789ab.tmp",
    ]
    theirs = [directory.root / "notes.tmp", directory.root / ".notes.tmp"]
    for path in (*ours, *theirs):
        path.touch()
    claim_run_directory(directory.root, recipe())
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in theirs)


def test_a_kill_before_recipe_yaml_was_written_leaves_no_run(recipe, directory):
    directory.root.mkdir()
    (directory.root / ".recipe.yaml.0123456789ab.tmp").write_text("name: ti")
    claim_run_directory(directory.root, recipe())
    assert load_recipe(directory.recipe) == recipe()


def test_the_directory_of_something_else_is_refused(recipe, directory):
    directory.root.mkdir()
    (directory.root / "notes.txt").write_text("mine")
    with refuses(RunError, directory.root, "recipe.yaml"):
        claim_run_directory(directory.root, recipe())


@pytest.mark.parametrize("name", ["metrics", "checkpoints", "recipe", "tokenizer"])
def test_links_in_place_of_a_runs_files_are_refused(recipe, directory, tmp_path, name):
    claim_run_directory(directory.root, recipe())
    path, elsewhere = getattr(directory, name), tmp_path / "elsewhere"
    path.unlink(missing_ok=True)
    elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    with refuses(RunError, path):
        claim_run_directory(directory.root, recipe())
    assert elsewhere.read_text() == "mine"


def test_a_lock_that_is_a_link_is_refused(directory, tmp_path):
    directory.root.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (directory.root / ".lock").symlink_to(elsewhere)
    with pytest.raises((StorageError, BusyError)), hold_lock(directory.root):
        pass
    assert elsewhere.read_text() == "mine"


def test_a_runs_recipe_cut_at_a_line_end_is_refused(recipe, directory):
    claim_run_directory(directory.root, recipe())
    lines = directory.recipe.read_text().splitlines(keepends=True)
    directory.recipe.write_text("".join(lines[:-1]))
    with refuses(ConfigError, directory.recipe):
        claim_run_directory(directory.root, recipe())


def test_cut_keeps_what_the_checkpoint_has_behind_it(directory):
    directory.root.mkdir()
    write_metrics(directory, 1, 2, 3, 4)
    cut_metrics(directory, 2)
    assert directory.read_metrics() == ([train_record(1), train_record(2)], [])


@pytest.mark.parametrize("length", [1, 30, -1])
def test_cut_drops_a_line_that_was_never_finished(directory, length):
    """-1: even a record that is complete but for its newline was not finished."""
    directory.root.mkdir()
    write_metrics(directory, 1)
    whole = directory.metrics.read_text()
    line = json.dumps({"kind": "train", "step": 2, "tokens": 16})
    directory.metrics.write_text(whole + (line[:length] if length > 0 else whole.rstrip("\n")))
    cut_metrics(directory, 9)
    assert directory.metrics.read_text() == whole


@pytest.mark.parametrize("damaged", [b"{}", b'{"kind": "tr\xffin"}', b"\x80", b'{"kind": "train"}'])
def test_cut_names_a_damaged_line_and_leaves_the_file(directory, damaged):
    directory.root.mkdir()
    write_metrics(directory, 1)
    content = damaged + b"\n" + directory.metrics.read_bytes()
    directory.metrics.write_bytes(content)
    with refuses(RunError, f"{directory.metrics}:1"):
        cut_metrics(directory, 1)
    assert directory.metrics.read_bytes() == content


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_in_the_metrics_is_one_line_or_no_harm(directory, data):
    """Any bit of three records: the cut refuses the file by its line, or leaves records that can be read."""
    directory.root.mkdir(exist_ok=True)
    directory.metrics.unlink(missing_ok=True)
    write_metrics(directory, 1, 2, 3)
    content = bytearray(directory.metrics.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    directory.metrics.write_bytes(content)
    message = None
    try:
        cut_metrics(directory, 2)
        directory.read_metrics()
    except RunError as error:
        message = str(error)
    assert message is None or (message.startswith(f"{directory.metrics}:") and "\n" not in message)


def test_cut_without_metrics_is_nothing(directory):
    cut_metrics(directory, 3)
    assert not directory.metrics.exists()
