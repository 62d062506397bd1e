"""Sampling judged by the grammar: n-gram measures against hand counts, the judgement against stories of the grammar."""

import json
from math import comb

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from homespun.cli.main import main
from homespun.data import documents
from homespun.evaluation import evaluate_dataset
from homespun.experiments.diversity import CopyIndex, distinct_share, ngrams, repeated_share, wilson_interval
from homespun.experiments.sampling import run_sampling, score_bits
from homespun.recipe.data import open_dataset
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from homespun.runs.load import load_run
from homespun.storybook import Mismatch, Story, Storybook
from homespun.storybook.walk import Parser
from homespun.training.loop import train
from homespun.training.recorder import Recorder
from homespun.training.run import open_run
from refusals import refuses
from tiny import make_world, run_tiny

STORYBOOK = Storybook()


def train_on_stories(root, context_length):
    """A run of two steps on a few stories: as bad a model as there is, with all files of a good one."""
    recipe = {
        "name": "stories",
        "source": {
            "corpus": "storybook", "train": str(root / "train.txt"), "valid": str(root / "valid.txt"),
            "num_train_stories": 40, "num_valid_stories": 6,
        },
        "tokenizer": {"vocab_size": 600},
        "data": {name: str(root / name) for name in ("tokenizer", "train", "valid")},
        "model": {
            "vocab_size": 600, "context_length": context_length, "d_model": 16, "num_layers": 1, "num_heads": 2,
            "d_ff": 32,
        },
        "optim": {"lr": 0.01, "schedule": {"warmup_steps": 1}},
        "training": {"num_steps": 2, "batch_size": 2},
        "execution": {"micro_batch": 2, "device": "cpu", "precision": "float32"},
        "logging": {"sampling": {"prompts": []}},
    }  # fmt: skip
    path = root / "stories.yaml"
    path.write_text(yaml.safe_dump(recipe))
    config = load_recipe(path)
    prepare(config)
    with open_run(config, root / "run") as opened, Recorder(opened.directory) as recorder:
        train(opened, recorder, lambda: False)
    return root / "run"


def test_ngrams_and_their_shares():
    """Derived by hand. a b c a b c d: its 2-grams are ab bc ca ab bc cd, two of six seen before."""
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert ngrams(["a"], 2) == []
    assert repeated_share("a b c a b c d", 2) == pytest.approx(2 / 6)
    assert repeated_share("a", 2) == 0
    assert distinct_share(["a b c", "a b d"], 2) == pytest.approx(3 / 4)
    assert distinct_share([], 2) == 0


@pytest.mark.property
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12).map(" ".join), max_size=5), st.integers(1, 4))
def test_copied_ngrams_are_those_of_a_set(texts, size):
    """Oracle: a set of tuples of words."""
    training, asked = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    known = {gram for text in training for gram in ngrams(text.split(), size)}
    found = [gram in known for text in asked for gram in ngrams(text.split(), size)]
    index = CopyIndex(training, size)
    assert index.copied_share(asked) == pytest.approx(sum(found) / len(found) if found else 0)
    assert all(index.has_document(text) for text in training)
    assert not index.has_document("no such text")


def test_words_that_training_lacks_are_not_copied():
    index = CopyIndex(["a b c d"], 2)
    assert index.copied_share(["x y z", "a b"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("trials", "rate"), [(20, 0.1), (50, 0.5), (200, 0.02)])
def test_wilson_intervals_cover(trials, rate):
    """Oracle: the binomial distribution, summed exactly: coverage near 95 % at any rate, 0 and 1 included."""
    covered = 0.0
    for successes in range(trials + 1):
        interval = wilson_interval(successes, trials)
        assert 0 <= interval.low <= interval.share <= interval.high <= 1
        if interval.low <= rate <= interval.high:
            covered += comb(trials, successes) * rate**successes * (1 - rate) ** (trials - successes)
    assert covered == pytest.approx(0.95, abs=0.035)


def test_followed_stories_are_those_parsed():
    """Oracle: `parse`. A story with one word changed leaves the grammar at that word, or later if it is an option."""
    for number in range(20):
        story = STORYBOOK.draw(number, seed=5)
        assert STORYBOOK.follow(story.text) == story
        words = story.text.split(" ")
        changed = " ".join([*words[:30], "xylophone", *words[31:]])
        found = STORYBOOK.follow(changed)
        assert isinstance(found, Mismatch)
        # The word before may be cut where it could have been the start of a longer option.
        assert 0 <= changed.index("xylophone") - found.offset <= 40
        assert 0 < found.num_choices <= len(story.choices)


@pytest.mark.parametrize(
    ("change", "kind"), [(lambda text: text[: len(text) // 2], "end"), (lambda text: text + "The end.", "left over")]
)
def test_how_a_text_leaves_the_grammar(change, kind):
    """Planted: a story cut in its middle, and one that continues."""
    text = STORYBOOK.draw(0, seed=5).text
    found = STORYBOOK.follow(change(text))
    assert isinstance(found, Mismatch)
    assert (found.kind, found.offset) == (kind, len(text) if kind == "left over" else len(text) // 2)


def test_a_wrong_name_is_a_wrong_fact():
    """Planted: the hero's last mention in the middle of a line is another name."""
    for number in range(10):
        parser = Parser(STORYBOOK.draw(number, seed=1).text)
        STORYBOOK.grammar.expand(parser)
        text, hero = parser.story().text, str(parser.world["hero"])
        before, _, after = text.rpartition(f" {hero} ")
        found = STORYBOOK.follow(f"{before} Zed {after}")
        assert isinstance(found, Mismatch)
        assert found.kind in ("fact", "option")
        assert found.offset == len(before) + 1


def test_bits_are_those_of_evaluation(tmp_path):
    """Oracle: `evaluate_dataset`, which scores the same stories in the same way from the token data set."""
    run = load_run(train_on_stories(tmp_path, 512))
    dataset = open_dataset("data.valid", run.config.data.valid, run.tokenizer, run.config.model.vocab_size)
    texts = [run.tokenizer.decode(window.targets[:-1]) for window in documents(dataset)]
    assert all(isinstance(STORYBOOK.follow(text), Story) for text in texts)
    expected = evaluate_dataset(run.model, dataset, context_length=512, batch_size=4)
    assert sum(score_bits(run, texts)) == pytest.approx(expected.nats / np.log(2), rel=1e-5)


def test_the_command_writes_what_the_grammar_says(tmp_path):
    """Oracle: relations that must hold, and the grammar, which allows no text of an untrained model."""
    root = train_on_stories(tmp_path, 24)
    command = ["experiment", "sampling", "--scale", "smoke", "--run", str(root), "--out", str(tmp_path)]
    assert main([*command, "--stories", "3", "--device", "cpu"]) == 0
    written = json.loads((tmp_path / "sampling.json").read_text())
    cells = written["figures"]["cells"]
    assert [(cell["temperature"], cell["top_p"]) for cell in cells] == [(0, 1), (1, 0.9), (1, 1)]
    assert [cell["stories"] for cell in cells] == [1, 3, 3]
    for cell in cells:
        assert cell["allowed"]["share"] == 0
        assert sum(cell["how_the_others_leave"].values()) == cell["stories"]
    own = [STORYBOOK.draw(number, seed=2**40 + 1).bits for number in range(3)]
    assert written["figures"]["gap"]["grammar_bits_per_story"] == pytest.approx(sum(own) / 3)
    assert written["figures"]["gap"]["excess_bits_per_story"] > 0
    assert (tmp_path / "sampling.svg").exists()


def test_a_run_on_other_text_is_refused(tmp_path):
    world = make_world(tmp_path / "world")
    run_tiny(world, tmp_path / "run")
    with refuses(ValueError, tmp_path / "run", "'files'", "homespun demo"):
        run_sampling("smoke", load_run(tmp_path / "run"))
