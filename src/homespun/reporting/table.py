"""Tables that scroll in a box of their own, with a first column that stays; the scripts sort them by any column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homespun.reporting.figures import compact, duration, fixed, flops, grouped, percent, signed, significant
from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.run import ReportedRun
from homespun.sweeps import Sweep


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what it is sorted by."""

    shown: object
    value: float | str = ""
    css: str | None = None


EMPTY = Cell("\u2013")


def render_table(
    caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, sortable: bool = True, tall: bool = False
) -> Markup:
    """Return a table whose first column heads its rows; columns that no row fills are left out."""
    kept = [i for i in range(len(headings)) if i == 0 or any(row[i] is not EMPTY for row in rows)]
    words = [any(isinstance(row[i].value, str) and row[i].value for row in rows) for i in range(len(headings))]
    head = [tag("th", headings[i], scope="col", class_="word" if words[i] else None) for i in kept]
    body = []
    for row in rows:
        cells = []
        for i in kept:
            kind = " ".join(name for name in (row[i].css, "word" if words[i] else None) if name) or None
            value = row[i].value if isinstance(row[i].value, str) else repr(row[i].value)
            cells.append(
                tag("td" if i else "th", row[i].shown, data_value=value, class_=kind, scope=None if i else "row")
            )
        body.append(tag("tr", *cells))
    table = tag(
        "table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body),
        class_="sortable" if sortable and len(rows) > 1 else None,
    )  # fmt: skip
    # The box can be scrolled with the keyboard, hence its place in the order of focus and its name.
    return tag("div", table, class_="scroll tall" if tall else "scroll", tabindex=0, role="region", aria_label=caption)


def word(text: object, css: str | None = None) -> Cell:
    """A cell of text."""
    return Cell(text, str(text), css)


def number(value: float | None, write: Callable[[float], str], css: str | None = None) -> Cell:
    """A cell of a number; empty where there is none."""
    return EMPTY if value is None else Cell(write(value), float(value), css)


def render_runs(runs: Sequence[ReportedRun], colors: Sequence[int]) -> Markup:
    """The final table of a report on runs, best first where it can be said."""
    headings = (
        "run", "parameters", "tokens", "loss", "perplexity", "bits per byte", "entropy", "above it",
        "tokens/s", "MFU", "time", "memory",
    )  # fmt: skip
    finals = [run.final_validation for run in runs]
    best = min((final.bits_per_byte for final in finals if final), default=None) if len(runs) > 1 else None
    rows = []
    for run, final, color in zip(runs, finals, colors, strict=True):
        result, last = run.result, run.train[-1] if run.train else None
        rows.append([
            Cell(_named(run.name, color, finished=result is not None), run.name),
            number(result and result.num_parameters, grouped),
            number(run.last_tokens, grouped),
            number(final and final.loss, fixed),
            number(final and final.perplexity, lambda value: significant(value, 5)),
            number(final and final.bits_per_byte, fixed, "best" if final and final.bits_per_byte == best else None),
            number(run.entropy and run.entropy.bits_per_byte, fixed),
            number(run.excess_bits_per_byte, signed),
            number(result and result.tokens_per_second, grouped),
            number((last and last.mfu) or None, percent),
            number(run.seconds, duration),
            number((last and last.memory_bytes) or None, lambda value: compact(value).replace("B", "G") + "B"),
        ])  # fmt: skip
    return render_table("Final figures of each run", headings, rows, tall=len(runs) > 12)


def render_sweep_runs(sweep: Sweep, color_of: dict[str, int]) -> Markup:
    """The table of every run of a sweep, finished or not."""
    measures = sorted({name for run in sweep.runs for name in run.measures} - {sweep.measure})
    if any(sweep.measure in run.measures for run in sweep.runs):
        measures.insert(0, sweep.measure)
    headings = [
        "variant", "budget", "seed", "state", *(name.replace("_", " ") for name in measures), "parameters", "steps",
        "tokens", "time", "processor time", "FLOPs",
    ]  # fmt: skip
    values = [run.measures[sweep.measure] for run in sweep.runs if sweep.measure in run.measures]
    best = (min if sweep.lower_is_better else max)(values, default=None)
    rows = [
        [
            Cell(_named(run.variant, color_of.get(run.variant, 0)), run.variant),
            word(run.budget), number(run.seed, grouped),
            word(run.status, run.status),
            *(number(run.measures.get(name), fixed, "best" if name == sweep.measure and run.measures.get(name) == best
                     else None) for name in measures),
            number(run.num_parameters or None, grouped), number(run.num_steps, grouped),
            number(run.tokens or None, grouped), number(run.seconds or None, duration),
            number(run.cpu_seconds or None, duration), number(run.flops or None, flops),
        ]
        for run in sweep.runs
    ]  # fmt: skip
    return render_table("Every run of the sweep", headings, rows, tall=len(rows) > 12)


def _named(name: str, color: int, *, finished: bool = True) -> Markup:
    state = "" if finished else tag("span", "not finished", class_="badge")
    return join(tag("span", "", class_=f"swatch c{color % 8}"), name, " " if state else "", state)
