"""Opening, training and resuming a run, killed before each of its file operations and repeated on what is left."""

import shutil

import pytest
import yaml

from homespun.cli.main import main
from homespun.errors import ConfigError, DataError
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.records import ChangeRecord, RunDirectory
from homespun.runs.load import load_run
from homespun.training import environment
from homespun.training.loop import train
from homespun.training.peak import Peak
from homespun.training.recorder import Recorder
from homespun.training.run import open_run
from kills import each_kill
from refusals import refuses

END = "<|eot|>"


@pytest.fixture(autouse=True)
def quick_peak(monkeypatch):
    monkeypatch.setattr(environment, "find_peak", lambda device, precision: Peak(flops=1e12, reason="not measured"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe with its data, whose separator is not the usual one, and whose samples begin a document."""
    root = tmp_path_factory.mktemp("world")
    for split, word in (("train", "fox"), ("valid", "hen")):
        (root / f"{split}.txt").write_text("".join(f"A {word} met {i} geese.{END}" for i in range(40)))
    values = {
        "name": "tiny",
        "source": {
            "corpus": "files", "train": str(root / "train.txt"), "valid": str(root / "valid.txt"), "separator": END,
        },
        "tokenizer": {"vocab_size": 270, "special_tokens": [END]},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {"vocab_size": 270, "context_length": 8, "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ff": 16},
        "optim": {"schedule": {"kind": "constant"}},
        "training": {"num_steps": 2, "batch_size": 2},
        "execution": {"micro_batch": 2, "device": "cpu"},
        "logging": {
            "log_every": 1, "checkpoint_every": 1, "keep_checkpoints": 1,
            "sampling": {"every": 1, "prompts": [""], "max_new_tokens": 2},
        },
    }  # fmt: skip
    path = root / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    prepare(load_recipe(path))
    return path


def run(config, root):
    if not RunDirectory(root).result.exists() or config.training.num_steps > 2:
        with open_run(config, root) as opened, Recorder(opened.directory) as recorder:
            train(opened, recorder)


def contents(root):
    """What a run leaves that does not depend on the clock."""
    directory = RunDirectory(root)
    names = {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.name != ".lock"}
    losses = [(record.step, record.loss) for record in directory.read_metrics()[0]]
    tokenizer = {path.name: path.read_bytes() for path in directory.tokenizer.iterdir()}
    samples = [path.read_text() for path in directory.list_samples()]
    return names, losses, tokenizer, samples, directory.recipe.read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_any_file_operation_changes_nothing_in_the_end(recipe, tmp_path):
    """Oracle: a run that nobody killed: files, losses, tokenizer, samples. The second step undoes what the first had.

    So the best checkpoint is not among the latest, and has to be kept.
    """
    worse = ["--optim.lr=5", "--optim.schedule.warmup_steps=1", "--logging.validation_every=1"]
    config, root = load_recipe(recipe, worse), tmp_path / "run"
    run(config, root)
    expected, num_kills = contents(root), 0
    assert {RunDirectory(root).checkpoint_at(step).relative_to(root) for step in (1, 2)} <= expected[0]
    assert RunDirectory(root).best_checkpoint() == RunDirectory(root).checkpoint_at(1)
    shutil.rmtree(root)
    for point in each_kill(root, lambda: run(config, root)):
        run(config, root)
        assert contents(root) == expected, point
        shutil.rmtree(root)
        num_kills += 1
    assert num_kills > 30


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_while_settings_change_loses_none_of_the_changes(recipe, tmp_path):
    """Oracle: the same change that nobody killed."""
    root, before = tmp_path / "run", tmp_path / "before"
    run(load_recipe(recipe), before)
    longer = load_recipe(recipe, ["--training.num_steps=3", "--execution.micro_batch=1"])
    shutil.copytree(before, root)
    run(longer, root)
    expected = contents(root)
    changes = [record for record in RunDirectory(root).iter_metrics() if isinstance(record, ChangeRecord)]
    assert {change.key for change in changes} == {"training.num_steps", "execution.micro_batch"}

    def again():
        if (result := RunDirectory(root).read_result()) is None or result.steps < 3:
            run(longer, root)

    shutil.rmtree(root)
    shutil.copytree(before, root)
    for point in each_kill(root, again):
        again()
        assert contents(root) == expected, point
        found = [record for record in RunDirectory(root).iter_metrics() if isinstance(record, ChangeRecord)]
        assert found == changes, point
        shutil.rmtree(root)
        shutil.copytree(before, root)


def test_a_finished_run_is_trained_longer(recipe, tmp_path):
    """Oracle: a run of that length from the start."""
    longer = load_recipe(recipe, ["--training.num_steps=4"])
    run(load_recipe(recipe), tmp_path / "run")
    run(longer, tmp_path / "run")
    run(longer, tmp_path / "whole")
    steps = [RunDirectory(tmp_path / name).read_metrics()[0] for name in ("run", "whole")]
    assert [(r.step, r.loss, r.lr) for r in steps[0]] == [(r.step, r.loss, r.lr) for r in steps[1]]


def test_a_run_begins_with_the_weights_of_another_and_says_so(recipe, tmp_path, capsys):
    """Oracle: the checkpoint of the other run; without warm-up its weights show in the first loss."""
    first, second = tmp_path / "first", tmp_path / "second"
    run(load_recipe(recipe, ["--training.num_steps=30"]), first)
    assert main(["train", str(recipe), "--from", str(first), "--out", str(second)]) == 0
    change = next(iter(RunDirectory(second).iter_metrics()))
    assert isinstance(change, ChangeRecord)
    assert (change.key, change.step) == ("weights", 0)
    assert str(RunDirectory(first).checkpoint_at(30)) in change.after
    losses = [RunDirectory(root).read_metrics()[0][0].loss for root in (first, second)]
    assert losses[1] < losses[0] - 0.1
    assert str(first) in RunDirectory(second).recipe.read_text()


def test_samples_begin_and_end_documents_with_the_runs_own_separator(recipe, tmp_path):
    """Oracle: an empty prompt needs the token before the first document, which this run spells its own way."""
    run(load_recipe(recipe), tmp_path / "run")
    assert len(RunDirectory(tmp_path / "run").list_samples()) == 2
    assert load_run(tmp_path / "run", device="cpu").config.source.separator == END


def test_data_are_verified_once_before_the_first_step(recipe, tmp_path):
    """Oracle: one bit, flipped in a shard without touching its size."""
    data = tmp_path / "train"
    shutil.copytree(recipe.parent / "train", data)
    shard = data / "shard-00000.npy"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with refuses(DataError, shard):
        run(load_recipe(recipe, [f"--data.train={data}"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "overrides",
    [
        ["--model.d_model=1000000000"],
        ["--model.num_layers=1000000000"],
        [f"--model.vocab_size={2**63 - 1}"],
        ["--training.batch_size=1000000000000"],
    ],
)
def test_a_run_larger_than_any_memory_is_refused_before_it_is_built(recipe, tmp_path, overrides):
    """Oracle: no machine has the petabytes that these take."""
    with refuses(ConfigError, "GiB"):
        run(load_recipe(recipe, overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()
