"""The report: one HTML file that needs neither network nor other files."""

import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from homespun.errors import RunError, escape_unprintable
from homespun.files import write_text_atomically
from homespun.reporting.plots import color_of, count_not_shown, plot_bits_per_byte, plot_learning_rate, plot_loss
from homespun.reporting.run import ReportedRun, read_run

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; color-scheme: light dark; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8884; text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { background: #8882; padding: .8rem; overflow-x: auto; white-space: pre-wrap; font-size: .85rem; }
blockquote { white-space: pre-wrap; border-left: 3px solid #8888; margin: 1rem 0; padding: .2rem 1rem; }
svg { max-width: 100%; height: auto; } .scroll { overflow-x: auto; } summary { cursor: pointer; font-weight: 600; }
.legend span { margin-right: 1.5rem; white-space: nowrap; } .note { font-style: italic; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b; }
  svg { filter: invert(.87) hue-rotate(180deg); } }
"""

# Heading and how a run fills the cell; a dash where the run does not have it.
_COLUMNS: tuple[tuple[str, Callable[[ReportedRun], str | None]], ...] = (
    ("run", lambda run: run.name),
    ("parameters", lambda run: f"{run.result.num_parameters:,}" if run.result else None),
    ("tokens", lambda run: f"{run.last_tokens:,}"),
    ("validation loss", lambda run: _of_validation(run, "loss", ".4f")),
    ("perplexity", lambda run: _of_validation(run, "perplexity", ".3f")),
    ("bits per byte", lambda run: _of_validation(run, "bits_per_byte", ".4f")),
    ("exact entropy", lambda run: _number(run.entropy.bits_per_byte, ".4f") if run.entropy else None),
    ("above it", lambda run: _number(run.excess_bits_per_byte, "+.4f")),
    ("tokens/s", lambda run: _number(run.result.tokens_per_second, ",.0f") if run.result else None),
    ("minutes", lambda run: _number(run.result.seconds / 60, ".1f") if run.result else None),
)


def write_report(
    run_directories: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]
) -> None:
    """Write one HTML file about the runs: final table, curves, samples, recipes.

    Args:
        run_directories: One or more directories that `homespun train` wrote, finished or not.
        out: The file to write, atomically.

    Raises:
        RunError: no run is named, one has no metrics yet, or its metrics are damaged.
        MissingFileError: a directory holds no run.
    """
    if isinstance(run_directories, str | os.PathLike):
        run_directories = [run_directories]
    if not run_directories:
        raise RunError("no run to report on; name at least one run directory")
    write_text_atomically(Path(out), render_report([read_run(Path(root)) for root in run_directories]))


def render_report(runs: Sequence[ReportedRun]) -> str:
    """Return the HTML text of a report about `runs`."""
    title = escape("homespun: " + ", ".join(run.name for run in runs))
    plots = [("Loss", "thin line: training; dots: validation", plot_loss(runs))]
    if any(run.validation for run in runs):
        caption = "dots: validation"
        if any(run.entropy for run in runs):
            caption += "; dashed: exact entropy of the documents, the least that any model can expect"
        plots.append(("Bits per byte", caption, plot_bits_per_byte(runs)))
    plots.append(("Learning rate and gradient norm", "dotted: gradient norm", plot_learning_rate(runs)))
    legend = "".join(
        f"<span><b style='color:{color_of(index)}'>&#9632;</b> {escape(run.name)}</span>"
        for index, run in enumerate(runs)
    )
    body = [f"<h1>{title}</h1>", render_table(runs)]
    for heading, caption, svg in plots:
        body.append(f"<h2>{heading}</h2>\n<p class='legend'>{legend}{caption}</p>\n<div class='scroll'>{svg}</div>")
    body += [render_run(run) for run in runs]
    return (
        "<!doctype html>\n<html lang='en'>\n<head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def render_table(runs: Sequence[ReportedRun]) -> str:
    """The final table, a row a run; columns that no run fills are left out."""
    cells = {heading: [fill(run) for run in runs] for heading, fill in _COLUMNS}
    shown = [heading for heading, column in cells.items() if any(cell is not None for cell in column)]
    head = "".join(f"<th>{heading}</th>" for heading in shown)
    rows = [
        "<tr>" + "".join(f"<td>{escape(cells[heading][index] or '-')}</td>" for heading in shown) + "</tr>"
        for index in range(len(runs))
    ]
    return f"<div class='scroll'><table>\n<tr>{head}</tr>\n" + "\n".join(rows) + "\n</table></div>"


def render_run(run: ReportedRun) -> str:
    """Return the section about one run alone: its state, samples, recipe, environment."""
    section = [f"<h2>{escape(run.name)}</h2>"]
    if run.result is None:
        section.append("<p>This run has not finished; the figures are those of its last records.</p>")
    final = run.final_validation
    if final is not None:
        scored = "the whole validation set" if final.whole else "a fixed head of the validation set"
        section.append(
            f"<p>Last validation at step {final.step:,}, on {scored}: "
            f"{final.num_tokens:,} tokens, {final.num_bytes:,} bytes, separators counted.</p>"
        )
    if run.best_step is not None:
        section.append(f"<p>The best checkpoint is that of step {run.best_step:,}.</p>")
    section += _list("Sessions:", [str(session) for session in run.sessions])
    changes = [f"step {change.step:,}: {change.key}: {change.before} -> {change.after}" for change in run.changes]
    section += _list("Changes during the run:", changes)
    notes = list(run.notes)
    if not_shown := count_not_shown(run):
        notes.append(f"not drawn: {not_shown:,} values that are not finite or too large")
    section += [f"<p class='note'>{escape(note)}</p>" for note in notes]
    if run.samples:
        step, text = run.samples[-1]
        section.append(f"<h3>Samples at step {step:,}</h3>\n<blockquote>{escape(text.strip())}</blockquote>")
    for step, text in reversed(run.samples[:-1]):
        section.append(_folded(f"samples at step {step:,}", f"<blockquote>{escape(text.strip())}</blockquote>"))
    section.append(_folded("recipe", f"<pre>{escape(run.recipe)}</pre>"))
    if run.environment:
        section.append(_folded("environment", f"<pre>{escape(run.environment)}</pre>"))
    return "\n".join(section)


def _list(heading: str, items: Sequence[str]) -> list[str]:
    """Return a heading with its items, or nothing where there are none."""
    listed = "".join(f"<li>{escape(escape_unprintable(item))}</li>" for item in items)
    return [f"<p>{heading}</p>\n<ul>{listed}</ul>"] if items else []


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def _of_validation(run: ReportedRun, field: str, layout: str) -> str | None:
    final = run.final_validation
    return None if final is None else _number(getattr(final, field), layout)


def _number(value: float | None, layout: str) -> str | None:
    """Write a number in its column's layout; one of 300 digits as a power of ten."""
    if value is None:
        return None
    return format(value, layout if abs(value) < 1e15 else ".3g")
