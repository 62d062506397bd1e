"""What differs between recipes: only the keys whose values do."""

from collections.abc import Sequence

from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.run import ReportedRun
from homespun.reporting.settings import write_value
from homespun.reporting.table import EMPTY, Cell, render_table, word
from homespun.sweeps import Sweep

_MAX_KEYS = 40
# Where things lie and how they are computed, not what is trained.
_PLACES = ("name", "source.train", "source.valid", "data.", "tokenizer.path")


def render_differences(runs: Sequence[ReportedRun]) -> Markup:
    """Return a table of the recipe's keys that differ between `runs`, a row a key; "" where nothing can be compared."""
    if len(runs) < 2 or not all(run.settings for run in runs):
        return Markup("")
    keys = sorted({key for run in runs for key in run.settings if not key.startswith(_PLACES)})
    values = {key: [write_value(run.settings[key]) if key in run.settings else "" for run in runs] for key in keys}
    differing = [key for key in keys if len(set(values[key])) > 1]
    if not differing:
        return tag("p", "The recipes are the same but for names and paths.")
    shown, more = differing[:_MAX_KEYS], len(differing) - _MAX_KEYS
    note = tag("p", f"{more:,} more keys differ.", class_="note") if more > 0 else Markup("")
    caption = f"Keys whose values differ, of {len(keys):,}"
    # The longer side goes down.
    if len(runs) > len(shown):
        rows = [[word(run.name), *(_cell(values[key][i]) for key in shown)] for i, run in enumerate(runs)]
        return Markup(render_table(caption, ["run", *shown], rows, tall=len(rows) > 12) + note)
    rows = [[Cell(tag("code", key), key), *(_cell(value) for value in values[key])] for key in shown]
    return Markup(render_table(caption, ["key", *(run.name for run in runs)], rows, sortable=False) + note)


def render_variants(sweep: Sweep, baseline: ReportedRun | None) -> Markup:
    """Return a table of the variants' overrides, a row a variant.

    Variants of the baseline's own recipe show the values that they change, as the run `baseline` has them.
    """
    recipes = {variant.name: variant.base for variant in sweep.variants}
    rows = []
    for variant in sweep.variants:
        is_same = baseline is not None and variant.base == recipes.get(sweep.baseline)
        known = baseline.settings if baseline is not None and is_same else {}
        changes = []
        for key, value in sorted(variant.overrides.items())[:_MAX_KEYS]:
            before, after = write_value(known[key]) if key in known else "", write_value(value)
            arrow = f"{before} \u2192 " if before and before != after else ""
            changes.append(tag("code", f"{key}: {arrow}{after}", class_="change"))
        shown = join(*changes) if changes else "the baseline" if variant.name == sweep.baseline else "nothing"
        several = [Cell(tag("code", variant.base), variant.base or "-")] if len({*recipes.values()}) > 1 else []
        rows.append([word(variant.name), *several, Cell(shown, ", ".join(sorted(variant.overrides)) or "-")])
    headings = ["variant", *(["recipe"] if len({*recipes.values()}) > 1 else []), "changes"]
    return render_table("What each variant changes in its recipe", headings, rows, sortable=False)


def _cell(value: str) -> Cell:
    return Cell(tag("code", value), value) if value else EMPTY
