"""The report: one HTML file that needs nothing beside it, neither network nor files."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.reporting.plots import plot_bits_per_byte, plot_learning_rate, plot_loss
from homespun.reporting.run import ReportedRun, read_run

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { background: #f6f6f4; padding: .8rem; overflow-x: auto; white-space: pre-wrap; font-size: .85rem; }
blockquote { white-space: pre-wrap; border-left: 3px solid #bbb; margin: 1rem 0; padding: .2rem 1rem; }
svg { max-width: 100%; height: auto; } .scroll { overflow-x: auto; } summary { cursor: pointer; font-weight: 600; }
"""

# Heading and how a run fills the cell; a dash where the run does not have it.
_COLUMNS: tuple[tuple[str, Callable[[ReportedRun], str | None]], ...] = (
    ("run", lambda run: run.name),
    ("parameters", lambda run: f"{run.result.num_parameters:,}" if run.result else None),
    ("tokens", lambda run: f"{_last_tokens(run):,}"),
    ("validation loss", lambda run: _of_validation(run, "loss", "{:.4f}")),
    ("perplexity", lambda run: _of_validation(run, "perplexity", "{:.3f}")),
    ("bits per byte", lambda run: _of_validation(run, "bits_per_byte", "{:.4f}")),
    ("exact entropy", lambda run: f"{run.entropy.bits_per_byte:.4f}" if run.entropy else None),
    ("above it", lambda run: f"{run.excess_bits_per_byte:+.4f}" if run.excess_bits_per_byte is not None else None),
    ("tokens/s", lambda run: f"{run.result.tokens_per_second:,.0f}" if run.result else None),
    ("minutes", lambda run: f"{run.result.seconds / 60:.1f}" if run.result else None),
)


def write_report(run_directories: Sequence[Path], out: Path) -> None:
    """Write one HTML file about the runs: final table, curves, samples, recipes.

    Args:
        run_directories: One or more directories that `homespun train` wrote, finished or not.
        out: The file to write, atomically.

    Raises:
        RunError: no run is named, or one has no metrics yet.
        MissingFileError: a directory holds no run.
    """
    if not run_directories:
        raise RunError("no run to report on; name at least one run directory")
    write_text_atomically(out, render_report([read_run(root) for root in run_directories]))


def render_report(runs: Sequence[ReportedRun]) -> str:
    """The HTML text of a report about `runs`."""
    title = "homespun: " + ", ".join(run.name for run in runs)
    plots = [("Loss", plot_loss(runs))]
    if any(run.validation for run in runs):
        plots.append(("Bits per byte", plot_bits_per_byte(runs)))
    plots.append(("Learning rate and gradient norm", plot_learning_rate(runs)))
    body = [f"<h1>{escape(title)}</h1>", render_table(runs)]
    body += [f"<h2>{heading}</h2>\n<div class='scroll'>{svg}</div>" for heading, svg in plots]
    for run in runs:
        body.append(render_run(run))
    return (
        "<!doctype html>\n<html lang='en'>\n<head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
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
    """The part of the report about one run alone: how it stands, samples, recipe, environment."""
    parts = [f"<h2>{escape(run.name)}</h2>"]
    if run.result is None:
        parts.append("<p>This run has not finished; the figures are those of its last records.</p>")
    final = run.final_validation
    if final is not None:
        scored = "the whole validation set" if final.whole else "a fixed head of the validation set"
        parts.append(
            f"<p>Last validation at step {final.step:,}, on {scored}: "
            f"{final.num_tokens:,} tokens, {final.num_bytes:,} bytes, separators counted.</p>"
        )
    if run.samples:
        step, text = run.samples[-1]
        parts.append(f"<h3>Samples at step {step:,}</h3>\n<blockquote>{escape(text.strip())}</blockquote>")
    for step, text in reversed(run.samples[:-1]):
        parts.append(_folded(f"samples at step {step:,}", f"<blockquote>{escape(text.strip())}</blockquote>"))
    parts.append(_folded("recipe", f"<pre>{escape(run.recipe)}</pre>"))
    if run.environment:
        parts.append(_folded("environment", f"<pre>{escape(run.environment)}</pre>"))
    return "\n".join(parts)


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def _of_validation(run: ReportedRun, field: str, pattern: str) -> str | None:
    final = run.final_validation
    return None if final is None else pattern.format(getattr(final, field))


def _last_tokens(run: ReportedRun) -> int:
    return max(record.tokens for record in [*run.train, *run.validation])
