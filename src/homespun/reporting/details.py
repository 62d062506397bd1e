"""What is known of each run alone: state, sessions, changes, notes, recipe, environment."""

from collections.abc import Sequence

from homespun.errors import escape_unprintable
from homespun.reporting.curves import count_not_shown
from homespun.reporting.markup import Markup, tag
from homespun.reporting.run import ReportedRun


def render_details(runs: Sequence[ReportedRun], *, named: bool) -> Markup:
    """Return a section a run; `named`: each under its name, and folded."""
    return tag("div", *(_render_run(run, folded=named) for run in runs))


def _render_run(run: ReportedRun, *, folded: bool) -> Markup:
    content: list[Markup] = []
    if run.result is None:
        content.append(tag("p", "This run has not finished; the figures are those of its last records."))
    final = run.final_validation
    if final is not None:
        scored = "the whole validation set" if final.whole else "a fixed head of the validation set"
        content.append(
            tag(
                "p",
                f"Last validation at step {final.step:,}, on {scored}: {final.num_tokens:,} tokens, "
                f"{final.num_bytes:,} bytes, separators counted.",
            )
        )
    if run.best_step is not None:
        content.append(tag("p", f"The best checkpoint is that of step {run.best_step:,}."))
    content += _list("Sessions", [str(session) for session in run.sessions])
    changes = [f"step {change.step:,}: {change.key}: {change.before} -> {change.after}" for change in run.changes]
    content += _list("Changes during the run", changes)
    notes = list(run.notes)
    if not_shown := count_not_shown(run):
        notes.append(f"not drawn: {not_shown:,} values that are not finite or too large")
    content += [tag("p", note, class_="note") for note in notes]
    content.append(_folded("Recipe", run.recipe))
    if run.environment:
        content.append(_folded("Environment", run.environment))
    if folded:
        return tag("details", tag("summary", run.name), *content, class_="run")
    return tag("div", *content, class_="run")


def _list(heading: str, items: Sequence[str]) -> list[Markup]:
    """Return a heading with its items, or nothing where there are none."""
    listed = [tag("li", escape_unprintable(item)) for item in items]
    return [tag("h3", heading), tag("ul", *listed)] if items else []


def _folded(summary: str, text: str) -> Markup:
    box = tag("pre", text, tabindex=0, role="region", aria_label=summary)
    return tag("details", tag("summary", summary), box)
