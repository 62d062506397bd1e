"""The report of a sweep. Oracles: figures computed by hand, and an HTML parser."""

import re
from dataclasses import replace

import pytest

from homespun.errors import RunError
from homespun.reporting import write_report
from homespun.reporting.differences import render_variants
from homespun.reporting.forest import render_forests
from homespun.reporting.response import render_response
from homespun.reporting.run import read_run
from homespun.sweeps import SweepRun
from refusals import refuses
from reports import Page, make_run
from sweep_world import write_sweep


def run_of(variant, seed, value, budget="tokens", status="finished"):
    measures = {"bits_per_byte": value, "loss": 2 * value} if status == "finished" else {}
    return SweepRun(
        variant=variant, budget=budget, seed=seed, directory=f"runs/{variant}-{seed}", status=status, num_steps=10,
        tokens=640, seconds=60.0, measures=measures,
    )  # fmt: skip


RATES = {"base": {}, "low": {"optim.lr": 0.001}, "high": {"optim.lr": 0.1}, "edge": {"optim.lr": 1.0}}
VALUES = {"base": (1.0, 1.02), "low": (1.5, 1.55), "high": (0.9, 0.93)}


def make_sweep(root, overrides=None, **changes):
    """Three variants with two seeds, and one that diverged."""
    runs = [run_of(name, seed, value) for name, values in VALUES.items() for seed, value in enumerate(values)]
    runs.append(run_of("edge", 0, 0.0, status="diverged"))
    return write_sweep(root, RATES if overrides is None else overrides, runs, "Which rate?", **changes)


def test_differences_by_hand(tmp_path):
    """high - base: -0.10, -0.09, so -0.095; low - base: 0.50, 0.53, so +0.515; the better first."""
    html = render_forests(make_sweep(tmp_path))
    assert re.findall(r"<th scope=\"row\">(\w+)</th>", html) == ["high", "low"]
    assert "\u22120.0950" in html
    assert "+0.5150" in html
    assert "Without a finished pair: edge (1 run diverged)." in html
    assert html.index("\u22120.0950") < html.index("+0.5150")


def test_more_is_better_where_the_sweep_says_so(tmp_path):
    html = render_forests(make_sweep(tmp_path, lower_is_better=False))
    assert re.findall(r"<th scope=\"row\">(\w+)</th>", html) == ["low", "high"]
    assert "better \u2192" in html


def test_the_measure_is_drawn_over_the_setting_that_varies(tmp_path):
    """Every variant sets the rate; by hand the best mean is 0.915."""
    sweep = make_sweep(tmp_path, {**RATES, "base": {"optim.lr": 0.01}})
    page = Page(render_response(sweep, None))
    text = " ".join(page.text)
    assert "Best at 0.1: 0.9150;" in text
    assert "edge of what was tried" not in text, "a higher rate was tried, and diverged"
    assert "diverged at 1" in text
    dots = [attributes for tag, attributes in page.attributes if "dot" in attributes.get("class", "").split()]
    assert len(dots) == 3


@pytest.mark.parametrize(
    "overrides",
    [
        {"base": {}, "low": {"optim.lr": 0.001}, "high": {"model.norm": "none"}, "edge": {"optim.lr": 1.0}},
        {"base": {}, "low": {"optim.lr": True}, "high": {"optim.lr": False}, "edge": {"optim.lr": 1.0}},
        {"base": {"x": 1}, "low": {"x": 10**400}, "high": {"x": 3}, "edge": {"x": 4}},
        {"base": {"x": 1}, "low": {"x": 1}, "high": {"x": 3}, "edge": {"x": 4}},
    ],
)
def test_nothing_is_drawn_where_no_setting_orders_the_variants(tmp_path, overrides):
    assert render_response(make_sweep(tmp_path, overrides), None) == ""


def test_variants_of_several_recipes_name_theirs(tmp_path):
    """Only the baseline's own recipe has values that are known to be changed."""
    sweep = make_sweep(tmp_path, {**RATES, "base": {"optim.lr": 0.01}})
    run = make_run(tmp_path / "runs" / "base-0")
    run.recipe.write_text("optim: {lr: 0.01}\n")
    reported = read_run(run.root)
    html = render_variants(sweep, reported)
    assert "optim.lr: 0.01 \u2192 0.1" in html
    assert "recipe</th>" not in html
    other = replace(sweep.variants[1], base="<other>.yaml")
    html = render_variants(replace(sweep, variants=[sweep.variants[0], other, *sweep.variants[2:]]), reported)
    assert "<code>&lt;other&gt;.yaml</code>" in html
    assert "optim.lr: 0.001<" in html
    assert "optim.lr: 0.01 \u2192 0.1" in html


def test_a_sweep_stands_alone(tmp_path):
    make_sweep(tmp_path / "sweep")
    make_run(tmp_path / "run")
    with refuses(RunError, "a sweep has a report of its own"):
        write_report([tmp_path / "run", tmp_path / "sweep"], tmp_path / "report.html")


def test_runs_that_are_missing_are_noted(tmp_path):
    """One run is there; the others are in the table all the same."""
    make_sweep(tmp_path)
    make_run(tmp_path / "runs" / "base-0")
    write_report(tmp_path, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert text.count("left out: ") == 6
    assert "base, seed 0" in text
    assert "3 variants" not in text
    assert "4 variants, 7 runs" in text
    assert "Which rate?" in page.by_tag["h1"]


def test_a_sweep_without_any_run_is_reported(tmp_path):
    runs = [run_of("base", 0, 0.0, status="waiting")]
    write_sweep(tmp_path, {"base": {}}, runs, "Which rate?", seeds=[0], noise_floor=None)
    write_report(tmp_path, tmp_path / "report.html")
    assert "1 still to be run" in (tmp_path / "report.html").read_text(encoding="utf-8")
