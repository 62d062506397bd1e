"""Paired differences from the baseline as a forest plot: a row a variant, with its 95 % interval and the noise band."""

from collections.abc import Sequence
from math import isfinite

from homespun.reporting.axes import Scale
from homespun.reporting.figures import count, listing, signed, significant
from homespun.reporting.markup import Markup, join, tag
from homespun.sweeps import Budget, Comparison, Sweep

BUDGETS: dict[str, str] = {
    "tokens": "equal tokens", "time": "equal time", "flops": "equal FLOPs", "steps": "equal steps",
}  # fmt: skip
_WIDTH, _HEIGHT = 330, 34
_MARGIN = 12


def render_forests(sweep: Sweep) -> Markup:
    """Return a forest plot for each budget of the sweep that has differences."""
    forests = []
    for budget in BUDGETS:
        compared = [row for row in sweep.comparisons if row.budget == budget and row.variant != sweep.baseline]
        if compared:
            forests.append(_render_forest(sweep, budget, compared))  # pyright: ignore[reportArgumentType]
    return join(*forests)


def _list_unpaired(compared: Sequence[Comparison]) -> Markup | None:
    """Name the variants of which no pair is finished, in a sentence rather than in empty rows."""
    without = [
        f"{row.variant} ({count(row.num_diverged, 'run')} diverged)" if row.num_diverged else row.variant
        for row in compared
        if row.difference is None
    ]
    if not without:
        return None
    return tag("p", f"Without a finished pair: {listing(without)}.", class_="reading after")


def _render_forest(sweep: Sweep, budget: Budget, compared: Sequence[Comparison]) -> Markup:
    best_first = 1.0 if sweep.lower_is_better else -1.0
    rows = sorted(
        (row for row in compared if row.difference is not None),
        key=lambda row: (
            best_first * row.difference if row.difference is not None and isfinite(row.difference) else float("inf")
        ),
    )
    unpaired = _list_unpaired(compared)
    if not rows:
        return join(tag("h3", BUDGETS[budget].capitalize()), unpaired)
    x = _scale(rows, sweep.noise_floor)
    noise = sweep.noise_floor if _has(sweep.noise_floor) else None
    better = "\u2190 better" if sweep.lower_is_better else "better \u2192"
    head = tag(
        "tr", tag("th", "variant", scope="col"),
        tag("th", "difference ", tag("span", better, class_="soft"), scope="col", class_="picture"),
        tag("th", "verdict", scope="col", class_="word"), tag("th", "mean", scope="col"),
        tag("th", "95 % interval", scope="col"), tag("th", "smallest visible", scope="col"),
        tag("th", "pairs", scope="col"),
    )  # fmt: skip
    caption = f"{_measure(sweep).capitalize()} against {sweep.baseline}, paired by seed, at {BUDGETS[budget]}"
    body = [_render_row(row, x, noise) for row in rows]
    table = tag(
        "table", tag("caption", caption), tag("thead", head), tag("tbody", *body),
        tag("tfoot", tag("tr", tag("td"), tag("td", _draw_axis(x, noise), class_="picture"), tag("td", colspan=5))),
        class_="forest",
    )  # fmt: skip
    return join(tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=caption), unpaired)


def _render_row(row: Comparison, x: Scale, noise: float | None) -> Markup:
    has_interval = _has(row.low) and _has(row.high)
    interval = f"{signed(row.low or 0.0)} to {signed(row.high or 0.0)}" if has_interval else "\u2013"
    diverged = f", {row.num_diverged} diverged" if row.num_diverged else ""
    css = {"better": "good", "worse": "bad"}.get(row.verdict, "even")
    return tag(
        "tr", tag("th", row.variant, scope="row"), tag("td", _draw_row(row, x, noise, css), class_="picture"),
        tag("td", tag("span", row.verdict, class_=f"verdict {css}"), class_="word"),
        tag("td", signed(row.difference) if row.difference is not None else "\u2013"), tag("td", interval),
        tag("td", significant(row.smallest_visible, 2) if row.smallest_visible is not None else "\u2013"),
        tag("td", f"{row.num_pairs}{diverged}"),
    )  # fmt: skip


def _draw_row(row: Comparison, x: Scale, noise: float | None, css: str) -> Markup:
    middle = _HEIGHT / 2
    content = [*_backdrop(x, noise, _HEIGHT)]
    if row.difference is not None and isfinite(row.difference):
        at = _inside(x, row.difference)
        if row.low is not None and row.high is not None:
            low, high = _inside(x, row.low), _inside(x, row.high)
            content.append(
                tag(
                    "path",
                    class_="whisker",
                    d=f"M{low:.1f},{middle}H{high:.1f}M{low:.1f},{middle - 5}v10M{high:.1f},{middle - 5}v10",
                )
            )
        content.append(tag("rect", x=f"{at - 5:.1f}", y=middle - 5, width=10, height=10, rx=2, class_="point"))
    # The figures stand in the cells next to it, so the picture says nothing that is not there in words.
    return tag(
        "svg", *content, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", width=_WIDTH, height=_HEIGHT, aria_hidden="true", class_=css
    )


def _draw_axis(x: Scale, noise: float | None) -> Markup:
    content = [*_backdrop(x, noise, 8)]
    for tick in x.ticks(6):
        content.append(tag("line", x1=f"{x.at(tick):.1f}", x2=f"{x.at(tick):.1f}", y1=6, y2=11, class_="tick"))
        content.append(tag("text", signed(tick, 3) if tick else "0", x=f"{x.at(tick):.1f}", y=24, text_anchor="middle"))
    content.append(tag("line", x1=x.start, x2=x.end, y1=6, y2=6, class_="base"))
    if noise:
        text = f"shaded: \u00b1{significant(noise, 2)}, standard deviation of the baseline"
        content.append(tag("text", text, x=_WIDTH / 2, y=42, text_anchor="middle", class_="soft"))
    return tag("svg", *content, viewBox=f"0 0 {_WIDTH} 48", width=_WIDTH, height=48, aria_hidden="true", class_="axis")


def _backdrop(x: Scale, noise: float | None, height: int) -> list[Markup]:
    content = []
    if noise:
        low, high = x.at(max(x.low, -noise)), x.at(min(x.high, noise))
        content.append(tag("rect", x=f"{low:.1f}", y=0, width=f"{high - low:.1f}", height=height, class_="noise"))
    content.append(tag("line", x1=f"{x.at(0.0):.1f}", x2=f"{x.at(0.0):.1f}", y1=0, y2=height, class_="zero"))
    return content


def _scale(rows: Sequence[Comparison], noise: float | None) -> Scale:
    """Show every interval; a variant far worse than the others is drawn at the edge, so that they stay apart."""
    bounds = [abs(b) for row in rows for b in (row.low, row.high, row.difference) if b is not None and isfinite(b)]
    bounds.sort()
    typical = bounds[int(0.7 * (len(bounds) - 1))] if bounds else 1.0
    limit = max(min(bounds[-1] if bounds else 1.0, 4 * typical), 1.5 * (noise or 0.0)) or 1.0
    lows = [max(-limit, b) for row in rows for b in (row.low, row.difference) if b is not None and isfinite(b)]
    highs = [min(limit, b) for row in rows for b in (row.high, row.difference) if b is not None and isfinite(b)]
    low = min([*lows, -1.2 * (noise or 0.1 * limit)])
    high = max([*highs, 1.2 * (noise or 0.1 * limit)])
    return Scale(low - 0.04 * (high - low), high + 0.04 * (high - low), _MARGIN, _WIDTH - _MARGIN)


def _inside(x: Scale, value: float) -> float:
    return x.at(min(x.high, max(x.low, value)))


def _has(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _measure(sweep: Sweep) -> str:
    return sweep.measure.replace("_", " ")
