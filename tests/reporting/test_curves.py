"""Curves, groups, ticks and figures. Oracles: values computed by hand, identities, planted extremes."""

import math

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from homespun.reporting import write_report
from homespun.reporting.axes import linear_ticks
from homespun.reporting.curves import make_curves, smooth
from homespun.reporting.figures import compact, duration, listing, signed, significant, spoken_duration
from homespun.reporting.groups import group_by_seed
from homespun.reporting.palette import COLORS
from homespun.reporting.run import read_run
from reports import make_run


@pytest.mark.property
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400))
def test_smoothing_keeps_length_beginning_and_range(values):
    """1e-3: sums of 400 values of a million in float64."""
    smoothed = smooth(np.array(values))
    assert len(smoothed) == len(values)
    assert smoothed[0] == pytest.approx(values[0], abs=1e-3)
    assert min(values) - 1e-3 <= smoothed.min() <= smoothed.max() <= max(values) + 1e-3


def test_smoothing_leaves_a_line_alone():
    """A centered mean of a line is the line; one that lags is not. The window is of 21 of the 500 values, and the last
    10 of them lack some of its right half."""
    assert smooth(np.arange(500.0))[:-10] == pytest.approx(np.arange(490.0))


def test_the_end_of_a_smoothed_curve_is_no_single_value():
    """By hand: the last window of 500 values is the last 11."""
    values = np.ones(500)
    values[-1] = 12.0
    assert smooth(values)[-1] == pytest.approx(2.0)


@pytest.mark.property
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_are_round_and_inside(low, width, count):
    high = low + width
    ticks = linear_ticks(low, high, count)
    assert len(ticks) <= 2.5 * count + 2
    margin = 1e-6 * max(abs(low), abs(high), width)
    assert all(low - margin <= tick <= high + margin for tick in ticks)


def test_ticks_by_hand():
    assert linear_ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert linear_ticks(0.3, 0.7, 4) == [0.3, 0.4, 0.5, 0.6, 0.7]
    assert linear_ticks(3, 3, 4) == [3]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (significant(0.00125), "0.00125"),
        (significant(3e-7), "3e-7"),
        (significant(1234.5, 3), "1234"),
        (compact(2_867_200), "2.87\u202fM"),
        (compact(999), "999"),
        (duration(147.0), "2.45\u202fmin"),
        (spoken_duration(252), "4.2 minutes"),
        (signed(-0.25, 2), "\u22120.25"),
        (signed(0.25, 2), "+0.25"),
        (listing(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_figures_by_hand(written, expected):
    assert written == expected


def run_of(root, *, name, seed, lr=0.1, losses=None):
    run = make_run(root / name, losses)
    run.recipe.write_text(yaml.safe_dump({"name": name, "seed": seed, "optim": {"lr": lr}, "data": {"train": name}}))
    return read_run(run.root)


def test_runs_that_differ_only_in_their_seed_share_a_curve(tmp_path):
    runs = [run_of(tmp_path, name=f"base-seed-{seed}", seed=seed) for seed in range(3)]
    runs.append(run_of(tmp_path, name="high", seed=0, lr=0.2))
    assert [(name, len(members)) for name, members in group_by_seed(runs)] == [("base", 3), ("high", 1)]


def test_runs_of_one_seed_are_not_taken_for_seeds(tmp_path):
    runs = [run_of(tmp_path, name=name, seed=1) for name in ("first", "second")]
    assert [name for name, _ in group_by_seed(runs)] == ["first", "second"]


def test_a_band_is_from_least_to_greatest_over_the_seeds(tmp_path):
    """By hand: constant losses 1, 2 and 6."""
    runs = [run_of(tmp_path, name=f"s{loss}", seed=loss, losses=[float(loss)] * 10) for loss in (1, 2, 6)]
    (curve,) = make_curves([("s", None, 0, runs)])
    assert {*curve.train["loss"]} == {3}
    assert {*curve.train["loss_low"]} == {1}
    assert {*curve.train["loss_high"]} == {6}


def test_a_run_that_ends_early_ends_the_mean(tmp_path):
    runs = [run_of(tmp_path, name=f"s{n}", seed=n, losses=[1.0] * n) for n in (8, 10)]
    (curve,) = make_curves([("s", None, 0, runs)])
    assert curve.train["step"][-1] == 8


def test_a_spike_is_among_the_points_of_a_long_run(tmp_path):
    losses = [2.0 + 0.1 * (step % 7) for step in range(30_000)]
    losses[12_345] = 50.0
    (curve,) = make_curves([("long", None, 0, [run_of(tmp_path, name="long", seed=0, losses=losses)])])
    assert max(curve.raw["loss"]) == 50
    assert len(curve.train["step"]) <= 1000


def test_a_long_run_has_a_small_report(tmp_path):
    """300,000 records as two days of training write them. A page of 1 MB opens at once."""
    losses = [2.0 + 1 / (1 + step) for step in range(300_000)]
    run = make_run(tmp_path / "long", losses)
    write_report(run.root, run.report)
    assert run.report.stat().st_size < 1_000_000


def luminance(color):
    """Relative luminance. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colors_have_contrast(theme):
    """Oracle: WCAG 2.2: 4.5 for text (1.4.3), 3 for what must be seen to read a chart (1.4.11)."""
    for ground in ("bg", "panel", "sunk"):
        for text in ("ink", "soft", "accent", "entropy", "good", "bad"):
            assert contrast(COLORS[text][theme], COLORS[ground][theme]) >= 4.5, (text, ground)
    for curve in [f"c{index}" for index in range(8)] + ["edge"]:
        assert contrast(COLORS[curve][theme], COLORS["panel"][theme]) >= 3, curve


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_surprising_tokens_stay_readable(theme):
    """The strongest shade is 52 % of the entropy's color over the panel (page/page.css, .s7)."""
    ground, shade = COLORS["panel"][theme], COLORS["entropy"][theme]
    mixed = [round(0.52 * int(shade[at : at + 2], 16) + 0.48 * int(ground[at : at + 2], 16)) for at in (1, 3, 5)]
    assert contrast(COLORS["ink"][theme], "#" + "".join(f"{channel:02x}" for channel in mixed)) >= 4.5


def test_contrast_by_hand():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert math.isclose(contrast("#777777", "#777777"), 1)
