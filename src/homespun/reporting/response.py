"""The measure of a sweep over the one setting that its variants vary, such as the learning rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import fmean

from homespun.reporting.axes import Scale
from homespun.reporting.curves import LARGEST_SHOWN
from homespun.reporting.figures import fixed, listing, significant
from homespun.reporting.markup import Markup, tag
from homespun.reporting.run import ReportedRun
from homespun.sweeps import Budget, Sweep

_WIDTH, _HEIGHT = 920, 340
_LEAST_VALUES = 3
"""Two settings are a difference, not a curve."""
_LOGARITHMIC_FROM = 8.0
"""What factor between the least and the greatest setting makes the axis logarithmic."""


@dataclass(frozen=True)
class _Point:
    variant: str
    setting: float
    values: list[float]
    """The measure of each finished run."""
    num_diverged: int


def render_response(sweep: Sweep, baseline: ReportedRun | None) -> Markup:
    """Return a chart of the measure over the setting that all variants vary; "" where there is no such setting.

    Args:
        sweep: Of which the first budget is drawn.
        baseline: A run of the baseline, whose recipe has the setting where the variant does not state it.
    """
    key = _find_key(sweep, baseline)
    budget: Budget | None = sweep.runs[0].budget if sweep.runs else None
    if key is None or budget is None:
        return Markup("")
    points = sorted(_collect(sweep, key, baseline, budget), key=lambda point: point.setting)
    if sum(bool(point.values) for point in points) < _LEAST_VALUES:
        return Markup("")
    title = f"{_measure(sweep).capitalize()} over {key}"
    chart = tag("div", _draw(sweep, key, points), class_="scroll-x", tabindex=0, role="group", aria_label=title)
    return tag("figure", tag("h3", title), chart, tag("figcaption", _caption(sweep, key, points)), class_="response")


def _find_key(sweep: Sweep, baseline: ReportedRun | None) -> str | None:
    """The key that every variant sets to a number of its own, or that only the baseline leaves as it is."""
    for key in sorted({key for variant in sweep.variants for key in variant.overrides}):
        settings = [_setting_of(sweep, variant.name, key, baseline) for variant in sweep.variants]
        if None not in settings and len({*settings}) == len(settings) >= _LEAST_VALUES:
            return key
    return None


def _setting_of(sweep: Sweep, name: str, key: str, baseline: ReportedRun | None) -> float | None:
    overrides = next(variant.overrides for variant in sweep.variants if variant.name == name)
    value = overrides.get(key)
    if key not in overrides and name == sweep.baseline and baseline is not None:
        value = baseline.settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_SHOWN:
        return None
    return float(value)


def _collect(sweep: Sweep, key: str, baseline: ReportedRun | None, budget: Budget) -> list[_Point]:
    points = []
    for variant in sweep.variants:
        runs = [run for run in sweep.runs if run.variant == variant.name and run.budget == budget]
        values = [run.measures[sweep.measure] for run in runs if sweep.measure in run.measures]
        setting = _setting_of(sweep, variant.name, key, baseline)
        assert setting is not None, "the key was chosen so that every variant has it"
        diverged = sum(run.status == "diverged" for run in runs)
        points.append(
            _Point(variant.name, setting, [value for value in values if abs(value) < LARGEST_SHOWN], diverged)
        )
    return points


def _draw(sweep: Sweep, key: str, points: Sequence[_Point]) -> Markup:
    left, right, top, bottom = 58, _WIDTH - 24, 34, _HEIGHT - 44
    settings = [point.setting for point in points]
    log = settings[0] > 0 and settings[-1] / settings[0] >= _LOGARITHMIC_FROM
    x = _Axis(settings[0], settings[-1], left + 14, right - 14, log=log)
    means = sorted(fmean(point.values) for point in points if point.values)
    # A setting far from the others must not flatten them: it stands at the edge, with an arrow.
    spread = means[len(means) // 2] - means[0] if sweep.lower_is_better else means[-1] - means[len(means) // 2]
    shown = [v for point in points for v in point.values]
    low, high = min(shown), max(shown)
    if sweep.lower_is_better:
        high = min(high, means[0] + 8 * spread) if spread > 0 else high
    else:
        low = max(low, means[-1] - 8 * spread) if spread > 0 else low
    margin = (high - low or abs(high) or 1.0) * 0.08
    y = Scale(low - margin, high + margin, bottom, top)

    content = [*_draw_axes(x, y, settings, key, _measure(sweep), left, right)]
    path = []
    for point in points:
        at = x.at(point.setting)
        if not point.values:
            if point.num_diverged:
                content.append(
                    tag("text", "\u00d7 diverged", x=f"{at:.1f}", y=top + 4, text_anchor="middle", class_="lost")
                )
            continue
        mean = fmean(point.values)
        inside = y.low <= mean <= y.high
        if inside:
            path.append(f"{at:.1f},{y.at(mean):.1f}")
        else:
            arrow = "\u2191" if mean > y.high else "\u2193"
            edge = top + 4 if mean > y.high else bottom - 6
            content.append(tag("text", f"{arrow} {fixed(mean)}", x=f"{at:.1f}", y=edge, text_anchor="middle"))
        title = tag("title", f"{point.variant}: {fixed(mean)}")
        content += [
            tag("circle", cx=f"{at:.1f}", cy=f"{y.at(value):.1f}", r=3, class_="seed")
            for value in point.values
            if y.low <= value <= y.high
        ]
        if inside:
            css = "dot base-dot" if point.variant == sweep.baseline else "dot"
            content.append(tag("circle", title, cx=f"{at:.1f}", cy=f"{y.at(mean):.1f}", r=5.5, class_=f"{css} c0"))
    content.insert(1, tag("path", d="M" + "L".join(path) if path else "", class_="line c0"))
    label = f"{_measure(sweep).capitalize()} over {key}. {_caption(sweep, key, points)}"
    return tag(
        "svg", *content, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", width=_WIDTH, height=_HEIGHT, role="img", aria_label=label,
        class_="response-chart",
    )  # fmt: skip


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    log: bool

    def at(self, value: float) -> float:
        low, high, value = map(log10, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (value - low) / (high - low or 1.0) * (self.end - self.start)


def _draw_axes(
    x: _Axis, y: Scale, settings: Sequence[float], key: str, measure: str, left: int, right: int
) -> list[Markup]:
    lines = []
    for tick in y.ticks(7):
        at = f"{y.at(tick):.1f}"
        lines.append(tag("line", x1=left, x2=right, y1=at, y2=at, class_="grid"))
        lines.append(tag("text", significant(tick, 4), x=left - 8, y=f"{y.at(tick) + 4:.1f}", text_anchor="end"))
    taken = -1e9
    for setting in settings:
        at = x.at(setting)
        lines.append(tag("line", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=y.start, y2=y.start + 5, class_="tick"))
        text = significant(setting, 4)
        # The settings themselves are the ticks, as many of them as have room.
        if at - taken > 7.5 * len(text) + 6:
            taken = at
            lines.append(tag("text", text, x=f"{at:.1f}", y=y.start + 19, text_anchor="middle"))
    title = key + (", logarithmic" if x.log else "")
    lines += [
        tag("line", x1=left, x2=right, y1=y.start, y2=y.start, class_="base"),
        tag("text", title, x=right, y=_HEIGHT - 6, text_anchor="end", class_="title"),
        tag("text", measure, x=4, y=14, class_="title"),
    ]
    return [tag("g", *lines, class_="axis")]


def _caption(sweep: Sweep, key: str, points: Sequence[_Point]) -> str:
    with_values = [point for point in points if point.values]
    best = (min if sweep.lower_is_better else max)(with_values, key=lambda point: fmean(point.values))
    edge = best in (points[0], points[-1])
    others = sorted({k for variant in sweep.variants for k in variant.overrides} - {key})
    diverged = [significant(point.setting, 4) for point in points if point.num_diverged]
    sentences = [
        f"Best at {significant(best.setting, 4)}: {fixed(fmean(best.values))}"
        + (", at the edge of what was tried" if edge else "")
    ]
    sentences += [f"diverged at {listing(diverged)}"] if diverged else []
    sentences.append("large dots: means; small: seeds; ring: the baseline")
    sentences += [f"variants differ in {listing(others[:4])} too"] if others else []
    return "; ".join(sentences) + "."


def _measure(sweep: Sweep) -> str:
    return sweep.measure.replace("_", " ")
