"""The report: one HTML file that needs neither network nor other files."""

import os
from collections.abc import Sequence
from pathlib import Path

from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.reporting.conclusions import conclude
from homespun.reporting.curves import make_curves
from homespun.reporting.details import render_details
from homespun.reporting.differences import render_differences
from homespun.reporting.figures import listing
from homespun.reporting.groups import group_by_seed
from homespun.reporting.headline import headline, on_corpora
from homespun.reporting.hero import render_facts, render_hero
from homespun.reporting.markup import Markup
from homespun.reporting.page import render_curves, render_page
from homespun.reporting.run import ReportedRun, read_run
from homespun.reporting.sweep import read_sweep, render_conclusions, render_sweep
from homespun.reporting.table import render_runs
from homespun.reporting.texts import render_samples
from homespun.sweeps import SweepDirectory

_MAX_NAMED = 3
_MAX_SAMPLED = 6
"""Of more runs only the best show their samples."""


def write_report(
    directories: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> None:
    """Write one HTML file about runs or about a sweep: headline, curves, tables, samples, conclusions.

    Args:
        directories: One or more run directories, finished or not, or one sweep directory.
        out: The file to write, atomically.

    Raises:
        RunError: nothing is named, a sweep is named with others, a run has no metrics yet, or a file is damaged.
        MissingFileError: a directory holds no run.
    """
    if isinstance(directories, str | os.PathLike):
        directories = [directories]
    if not directories:
        raise RunError("no run to report on; name at least one run directory, or a sweep directory")
    roots = [Path(root) for root in directories]
    sweeps = [root for root in roots if SweepDirectory(root).is_sweep()]
    if sweeps and len(roots) > 1:
        raise RunError(f"{sweeps[0]}: a sweep has a report of its own; name it alone, or name only run directories")
    text = render_sweep(read_sweep(sweeps[0])) if sweeps else render_report([read_run(root) for root in roots])
    write_text_atomically(Path(out), text)


def render_report(runs: Sequence[ReportedRun]) -> str:
    """Return the HTML text of a report about `runs`."""
    groups = group_by_seed(runs)
    curves = make_curves([(name, None, index, members) for index, (name, members) in enumerate(groups)])
    color_of = {id(run): curve.color for curve in curves for run in curve.runs}
    names = [name for name, _ in groups]
    title = listing(names) if len(names) <= _MAX_NAMED else f"{len(runs)} runs{on_corpora(runs)}"
    sections = [
        ("conclusions", "What the figures say", render_conclusions(conclude(runs, groups))),
        ("curves", "Curves", render_curves(curves)),
        ("table", "Figures", render_runs(runs, [color_of[id(run)] for run in runs])),
        ("differences", "What differs between the recipes", render_differences(runs)),
        ("samples", "Samples", render_samples(runs, limit=_MAX_SAMPLED, named=len(runs) > 1)),
        ("runs", "Runs" if len(runs) > 1 else "The run", render_details(runs, named=len(runs) > 1)),
    ]
    top = Markup(render_hero(runs, curves) + render_facts(runs))
    eyebrow = "Training report" if len(runs) == 1 else f"Report on {len(runs)} runs"
    return render_page(title, eyebrow, headline(runs), sections, top=top, curves=curves)
