"""A sweep as a report shows it: its figures, and what can be read of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from homespun.errors import HomespunError, escape_unprintable
from homespun.reporting.curves import Curve, make_curves
from homespun.reporting.details import render_details
from homespun.reporting.differences import render_variants
from homespun.reporting.figures import compact, count, fixed, listing, significant, spoken_duration
from homespun.reporting.forest import BUDGETS, render_forests
from homespun.reporting.headline import best_of, date_of, machine_of, on_corpora, versions_of
from homespun.reporting.hero import render_facts, render_hero
from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.page import render_curves, render_page
from homespun.reporting.response import render_response
from homespun.reporting.run import ReportedRun, read_run
from homespun.reporting.table import render_sweep_runs
from homespun.reporting.texts import render_samples
from homespun.sweeps import Sweep, SweepDirectory, SweepRun


@dataclass(frozen=True, kw_only=True)
class ReportedSweep:
    """A sweep with those of its runs that have records."""

    sweep: Sweep
    runs: list[tuple[SweepRun, ReportedRun]]
    notes: list[str]
    """Which runs could not be read, and why."""


def read_sweep(root: Path) -> ReportedSweep:
    """Read the sweep at `root` and its runs; a run that cannot be read is left out with a note.

    Raises:
        RunError: the sweep's own file is damaged.
    """
    directory = SweepDirectory(root)
    sweep = directory.read()
    runs, notes = [], []
    for run in sweep.runs:
        try:
            found = read_run(directory.run_at(run))
            # Its directory's name is the queue's affair.
            runs.append((run, replace(found, name=escape_unprintable(f"{run.variant}, seed {run.seed}"))))
        except HomespunError as error:
            if run.status != "waiting":
                notes.append(escape_unprintable(f"left out: {error}"))
    return ReportedSweep(sweep=sweep, runs=runs, notes=notes)


def render_sweep(reported: ReportedSweep) -> str:
    """Return the HTML text of a report about a sweep."""
    sweep, runs = reported.sweep, [run for _, run in reported.runs]
    order = [sweep.baseline, *(variant.name for variant in sweep.variants if variant.name != sweep.baseline)]
    curves = _make_curves(reported, order)
    colors = {name: index for index, name in enumerate(order)}
    best = best_of(runs)
    baseline = next((run for plan, run in reported.runs if plan.variant == sweep.baseline), None)
    shown = [run for run in (best, baseline) if run is not None]
    shown = shown[:1] if len(shown) == 2 and shown[0] is shown[1] else shown
    notes = [tag("p", note, class_="note") for note in reported.notes]
    top = Markup(render_hero(runs, curves) + render_facts(runs)) if runs else Markup("")
    sections = [
        ("conclusions", "What the figures say", render_conclusions([*sweep.conclusions])),
        ("comparison", "The variants compared", _render_comparison(sweep, baseline)),
        ("curves", "Curves", render_curves(curves)),
        ("table", "Every run", join(render_sweep_runs(sweep, colors), *notes)),
        ("differences", "What differs between the recipes", render_variants(sweep, baseline)),
        ("samples", "Samples of the best run and of the baseline", render_samples(shown, limit=len(shown), named=True)),
        ("runs", "The best run and a run of the baseline", render_details(shown, named=True) if shown else Markup("")),
    ]
    title = sweep.question or sweep.name
    return render_page(title, f"Sweep {sweep.name}", _headline(reported), sections, top=top, curves=curves)


def render_conclusions(sentences: Sequence[str]) -> Markup:
    """Return the sentences as a list; "" where there is none."""
    return (
        tag("ul", *(tag("li", sentence) for sentence in sentences), class_="conclusions") if sentences else Markup("")
    )


def _make_curves(reported: ReportedSweep, order: Sequence[str]) -> list[Curve]:
    groups = []
    for budget in BUDGETS:
        for number, variant in enumerate(order):
            found = [(p, r) for p, r in reported.runs if p.budget == budget and p.variant == variant and r.train]
            # A run that stopped early would cut the others' mean short.
            finished = [run for plan, run in found if plan.status == "finished"]
            members = finished or [run for _, run in found]
            if members:
                groups.append((variant, budget, number, members))
    return make_curves(groups)


def _headline(reported: ReportedSweep) -> str:
    sweep, runs = reported.sweep, [run for _, run in reported.runs]
    done = [run for run in sweep.runs if run.status == "finished"]
    diverged = sum(run.status == "diverged" for run in sweep.runs)
    waiting = sum(run.status == "waiting" for run in sweep.runs)
    states = [f"{len(done)} finished"]
    states += [f"{diverged} diverged"] if diverged else []
    states += [f"{waiting} still to be run"] if waiting else []
    text = (
        f"{count(len(sweep.variants), 'variant')}, {count(len(sweep.runs), 'run')}{on_corpora(runs)} "
        f"({listing(states)}), "
        f"decided by {sweep.measure.replace('_', ' ')}. Rule fixed beforehand: {sweep.rule.rstrip('.')}."
    )
    if sweep.noise_floor is not None:
        text += (
            f" Noise floor: {significant(sweep.noise_floor, 2)}, the standard deviation of "
            f"{sweep.baseline} over {count(_num_baseline(sweep), 'seed')}."
        )
    if done:
        spent = sum(run.seconds for run in done)
        text += f" Together {compact(sum(run.tokens for run in done))} tokens in {spoken_duration(spent)}"
        best = best_of(runs)
        if best is not None:
            text += f" on {machine_of(best)}, {date_of(best)}, with {versions_of(best)}"
        text += "."
    return text


def _num_baseline(sweep: Sweep) -> int:
    """How many runs of the baseline are finished, under the budget of which most are."""
    budgets = [run.budget for run in sweep.runs if run.variant == sweep.baseline and run.status == "finished"]
    return max(map(budgets.count, budgets), default=0)


def _render_comparison(sweep: Sweep, baseline: ReportedRun | None) -> Markup:
    forests, response = render_forests(sweep), render_response(sweep, baseline)
    if not forests:
        return response
    alone: dict[str, list[float]] = {}
    for run in sweep.runs:
        if run.variant == sweep.baseline and run.status == "finished" and sweep.measure in run.measures:
            alone.setdefault(run.budget, []).append(run.measures[sweep.measure])
    means = "; ".join(f"{fixed(fmean(values))} at {BUDGETS[budget]}" for budget, values in alone.items())
    reading = (
        f"Each row is a variant minus the baseline {sweep.baseline} on the same seeds"
        + (f" (baseline: {means})" if means else "")
        + ". The bar is the 95 % interval of the mean difference; where it crosses zero, no difference can be seen. "
        "\u201cSmallest visible\u201d is the least true difference that so many pairs of this spread show in four of "
        "five experiments."
    )
    return join(response, tag("p", reading, class_="reading"), forests)
