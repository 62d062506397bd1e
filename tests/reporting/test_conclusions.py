"""Sentences computed from figures. Oracles: runs made by hand, of which each sentence is true or false."""

import json

import numpy as np
import pytest

from homespun.entropy import CorpusEntropy
from homespun.records import write_json_record
from homespun.reporting.conclusions import conclude, find_spikes
from homespun.reporting.headline import headline
from homespun.reporting.run import read_run
from reports import make_run


def noisy(losses, seed=0):
    return (np.asarray(losses) + np.random.default_rng(seed).normal(0, 0.01, len(losses))).tolist()


def run_of(root, losses, **validations):
    run = make_run(root, losses)
    if validations:
        lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
        template = next(line for line in lines if line["kind"] == "validation")
        lines = [line for line in lines if line["kind"] == "train"]
        for step, loss in validations["head"]:
            lines.append(template | {"step": step, "loss": loss, "whole": False})
        lines.append(template | {"whole": True, "loss": validations["head"][-1][1]})
        run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (np.linspace(3, 2, 400), "still falling"),
        (np.concatenate([np.linspace(3, 2, 200), np.full(200, 2.0)]), "level at the end"),
        (np.concatenate([np.linspace(3, 2, 200), np.linspace(2, 2.5, 200)]), "rising at the end"),
    ],
)
def test_the_end_of_a_run_is_judged(tmp_path, losses, said):
    sentences = " ".join(conclude([read_run(run_of(tmp_path / "run", noisy(losses)).root)]))
    assert said in sentences


def test_few_records_are_not_judged(tmp_path):
    sentences = " ".join(conclude([read_run(run_of(tmp_path / "run", [3.0, 2.0, 1.0]).root)]))
    assert "at the end" not in sentences


def test_spikes_are_found_where_they_were_planted(tmp_path):
    losses = noisy(np.linspace(3, 2, 500))
    losses[200] += 1.0
    losses[400] += 0.8
    run = read_run(run_of(tmp_path / "run", losses).root)
    assert find_spikes(run) == [201, 401], "steps count from 1"
    assert "2 spikes, at steps 201 and 401" in " ".join(conclude([run]))


def test_a_quiet_run_has_no_spikes(tmp_path):
    losses = noisy(3 * np.exp(-np.arange(500) / 60) + 2)
    assert find_spikes(read_run(run_of(tmp_path / "run", losses).root)) == []


@pytest.mark.parametrize(
    ("heads", "said"), [([(2, 1.0), (4, 0.8), (6, 1.2)], True), ([(2, 1.0), (4, 0.8), (6, 0.79)], False)]
)
def test_overfitting_is_named(tmp_path, heads, said):
    sentences = " ".join(conclude([read_run(run_of(tmp_path / "run", [1.0] * 10, head=heads).root)]))
    assert ("lowest at step 4 (0.8000)" in sentences) == said


def test_the_gap_is_stated(tmp_path):
    """By hand: 1600 bits of 4000 bytes are 0.4 bits per byte, and the run has 0.5."""
    sentences = conclude([read_run(run_of(tmp_path / "run", None).root)])
    assert "The model is 0.1000 bits per byte above the exact entropy: 80\u202f% of the bits it needs" in sentences[0]


def test_below_the_entropy_is_suspicious(tmp_path):
    run = run_of(tmp_path / "run", None)
    write_json_record(run.entropy, CorpusEntropy(bits=2400.0, num_bytes=4000, num_documents=7))
    assert "below the exact entropy" in conclude([read_run(run.root)])[0]


def test_the_best_of_two_runs_is_named(tmp_path):
    one, two = run_of(tmp_path / "one", None), run_of(tmp_path / "two", None)
    two.metrics.write_text(two.metrics.read_text().replace('"bits_per_byte": 0.5', '"bits_per_byte": 0.45'))
    sentences = conclude([read_run(one.root), read_run(two.root)])
    assert sentences[0].startswith("two is the best of 2: 0.4500 bits per byte; 0.0500 below one (0.5000).")


def test_groups_of_seeds_are_compared_by_their_means(tmp_path):
    """By hand: means 0.5 and 0.6, ranges that touch no other."""
    groups = []
    for name, values in (("a", [0.49, 0.51]), ("b", [0.58, 0.62])):
        members = []
        for number, value in enumerate(values):
            run = run_of(tmp_path / f"{name}{number}", None)
            run.metrics.write_text(run.metrics.read_text().replace('"bits_per_byte": 0.5', f'"bits_per_byte": {value}'))
            members.append(read_run(run.root))
        groups.append((name, members))
    sentences = conclude([run for _, members in groups for run in members], groups)
    assert sentences[0] == (
        "a is the best of 2: 0.5000 bits per byte, the mean of 2 seeds; 0.1000 below b (0.6000, the mean of 2 seeds). "
        "Their seeds do not overlap: 0.4900 to 0.5100 against 0.5800 to 0.6200."
    )


def test_the_headline_says_what_where_and_when(tmp_path):
    run = run_of(tmp_path / "run", None)
    run.recipe.write_text("source: {corpus: storybook}\nmodel: {num_layers: 2, d_model: 16}\n")
    session = {"began": "2026-11-27T18:04:43Z", "steps_done": 0, "version": "0.1.0", "commit": None}
    run.environment.write_text(
        json.dumps(
            {
                "machine": {"cpu": "AMD EPYC", "device": "AMD EPYC", "num_threads": 2},
                "precision": {"value": "bfloat16"},
                "packages": {"torch": "2.15.0"},
                "sessions": [session | {"uncommitted_changes": False}],
            }
        )
    )
    text = headline([read_run(run.root)])
    for said in (
        "1.23\u202fk parameters (2 layers, width 16)", "640 tokens of the storybook in 60 seconds",
        "0.5000 bits per byte",
        "0.1000 above its exact entropy", "AMD EPYC (2 threads, bfloat16)", "27 November 2026",
        "homespun 0.1.0, torch 2.15.0",
    ):  # fmt: skip
        assert said in text, said


def test_seeds_alone_have_their_spread_stated(tmp_path):
    """By hand: 0.4 and 0.6 have mean 0.5 and standard deviation 0.2 / sqrt(2)."""
    members = []
    for value in (0.4, 0.6):
        run = run_of(tmp_path / str(value), None)
        run.metrics.write_text(run.metrics.read_text().replace('"bits_per_byte": 0.5', f'"bits_per_byte": {value}'))
        members.append(read_run(run.root))
    sentences = conclude(members, [("base", members)])
    assert sentences[0] == "base over 2 seeds: 0.5000 bits per byte, standard deviation 0.14."
