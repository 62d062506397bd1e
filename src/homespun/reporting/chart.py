"""The charts as the page shows them without scripts: static SVG over tokens; `page/chart.js` replaces it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from homespun.reporting.axes import Scale
from homespun.reporting.curves import Curve
from homespun.reporting.figures import compact, fixed, significant
from homespun.reporting.markup import Markup, join, tag

_STATIC_POINTS = 160
_SKIPPED = 0.1  # as in page/chart.js: the first steps' loss would flatten everything after it

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class ChartSpec:
    """One chart of the page."""

    id: str
    metric: Literal["loss", "lr", "norm", "rate"]
    title: str
    unit: str
    main: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return (920, 420) if self.main else (450, 230)


CHARTS = (
    ChartSpec("loss", "loss", "Loss", "nats per token", main=True),
    ChartSpec("lr", "lr", "Learning rate", "of the main optimizer"),
    ChartSpec("norm", "norm", "Gradient norm", "l2 norm before clipping"),
    ChartSpec("rate", "rate", "Throughput", "tokens per second"),
)


def render_charts(curves: Sequence[Curve]) -> Markup:
    """Return every chart that has something to draw, each a figure with a text alternative."""
    return tag("div", *(_render_figure(spec, curves) for spec in shown_charts(curves)), class_="charts")


def shown_charts(curves: Sequence[Curve]) -> list[ChartSpec]:
    """The charts for which some run has values."""
    return [spec for spec in CHARTS if any(_lines_of(spec, curve, 1.0) for curve in curves)]


def _render_figure(spec: ChartSpec, curves: Sequence[Curve]) -> Markup:
    return tag(
        "figure",
        tag("h3", spec.title),
        tag("div", _draw(spec, curves), class_="plot"),
        tag("figcaption", _caption_of(spec, curves)),
        id=f"chart-{spec.id}",
        class_="main" if spec.main else None,
    )


def _caption_of(spec: ChartSpec, curves: Sequence[Curve]) -> Markup:
    """What the chart shows, and in words where it begins and ends."""
    drawn = []
    if spec.metric == "loss":
        drawn.append("Line: loss on the training batches, moving mean")
        if any(curve.raw for curve in curves):
            drawn.append("faint: each record")
        if any(len(curve.runs) > 1 for curve in curves):
            drawn.append("band: least to greatest over the seeds")
        if any(curve.valid["step"] for curve in curves):
            drawn.append("dots: validation")
        if any(curve.end["step"] for curve in curves):
            drawn.append("ring: the whole validation set")
        text = "; ".join(drawn) + (
            ". A linear scale may cut off the first steps; a logarithmic one shows them. Bits per byte of training "
            "text are counted with the validation text's bytes per token."
        )
    else:
        text = {
            "lr": "As scheduled.",
            "norm": "Of all gradients, before clipping; moving mean.",
            "rate": "Of optimizer steps alone, without validation and checkpoints; moving mean.",
        }[spec.metric]
    return join(tag("span", text), tag("span", " " + summarise(spec, curves), class_="in-words"))


def summarise(spec: ChartSpec, curves: Sequence[Curve]) -> str:
    """Say in words where each curve begins and ends; the chart's text alternative."""
    sentences = []
    for curve in curves[:8]:
        points = _lines_of(spec, curve, 1.0)
        if points:
            begin, end = points[0][1], points[-1][1]
            sentences.append(f"{curve.name}: from {significant(begin, 4)} to {significant(end, 4)} {spec.unit}")
    more = f"; {len(curves) - 8} more in the table below" if len(curves) > 8 else ""
    return "; ".join(sentences) + more + "." if sentences else ""


def _unit_factors(spec: ChartSpec, curves: Sequence[Curve]) -> tuple[str, list[float]]:
    if spec.metric == "loss" and curves and all(curve.bits for curve in curves):
        return "bits per byte", [curve.bits or 1.0 for curve in curves]
    return spec.unit, [1.0 for _ in curves]


def _lines_of(spec: ChartSpec, curve: Curve, factor: float) -> Points:
    """The curve's points over tokens, as few as a picture without scripts needs."""
    values = curve.train.get(spec.metric, [])
    points = [(float(x), y * factor) for x, y in zip(curve.train["tokens"], values, strict=False) if None not in (x, y)]  # pyright: ignore[reportOptionalOperand, reportArgumentType] # None is filtered out
    if spec.metric == "loss" and not points:
        points = _marks_of(curve, curve.valid, factor)
    every = max(1, len(points) // _STATIC_POINTS)
    return points[::every] + ([points[-1]] if points and (len(points) - 1) % every else [])


def _marks_of(curve: Curve, points: dict[str, list[float | None]], factor: float) -> Points:
    ys = [bits if factor != 1.0 else loss for loss, bits in zip(points["loss"], points["bits"], strict=True)]
    return [(float(x or 0), float(y)) for x, y in zip(points["tokens"], ys, strict=True) if y is not None]


def _draw(spec: ChartSpec, curves: Sequence[Curve]) -> Markup:
    """Draw the chart over tokens, linear."""
    unit, factors = _unit_factors(spec, curves)
    # As the scripts do: the curves of one budget at a time.
    pairs = [(c, f) for c, f in zip(curves, factors, strict=True) if c.budget == curves[0].budget]
    lines = [(curve, _lines_of(spec, curve, factor)) for curve, factor in pairs]
    marks = [
        (curve, _marks_of(curve, curve.valid, factor), _marks_of(curve, curve.end, factor)) for curve, factor in pairs
    ]
    marks = marks if spec.metric == "loss" else []
    entropies = sorted({curve.entropy for curve, _ in pairs if curve.entropy is not None and unit == "bits per byte"})
    entropies = entropies if spec.metric == "loss" else []

    width, height = spec.size
    left, right, top, bottom = 52, width - (120 if entropies else 14), 26, height - 38
    xs = [x for _, points in lines for x, _ in points]
    x = Scale(0.0, max(xs, default=1.0) or 1.0, left, right)
    ys = [y for _, points in lines for at, y in points if spec.metric != "loss" or at >= x.high * _SKIPPED]
    ys += [y for _, dots, rings in marks for at, y in [*dots, *rings] if at >= x.high * _SKIPPED] + entropies
    low, high = min(ys, default=0.0), max(ys, default=1.0)
    low = 0.0 if low >= 0 and spec.metric != "loss" else low
    margin = (high - low or abs(high) or 1.0) * 0.06
    y = Scale(low - margin if low else low, high + margin, bottom, top)

    content = [_draw_axes(x, y, unit, width, height)]
    for curve, points in lines:
        path = "".join(
            f"{'L' if i else 'M'}{x.at(at):.1f},{_clamped(y, value):.1f}" for i, (at, value) in enumerate(points)
        )
        content.append(tag("path", class_=f"line c{curve.color} d{curve.dash}", d=path))
        if len(points) == 1:
            at, value = points[0]
            content.append(
                tag("circle", class_=f"dot c{curve.color}", cx=f"{x.at(at):.1f}", cy=f"{y.at(value):.1f}", r=4)
            )
    for curve, dots, rings in marks:
        for kind, radius, points in (("dot", 3, dots), ("ring", 5, rings)):
            content += [
                tag(
                    "circle",
                    class_=f"{kind} c{curve.color}",
                    cx=f"{x.at(at):.1f}",
                    cy=f"{_clamped(y, v):.1f}",
                    r=radius,
                )
                for at, v in points
            ]
    clip = f"static-{spec.id}"
    frame = tag("rect", x=left - 1, y=top - 6, width=right - left + 8, height=bottom - top + 7)
    body = [
        tag("defs", tag("clipPath", frame, id=clip)),
        content[0],
        tag("g", *content[1:], clip_path=f"url(#{clip})"),
        *_draw_entropies(entropies, marks, y, left, right),
    ]
    return tag(
        "svg", *body, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img",
        aria_label=f"{spec.title} over tokens trained on. {summarise(spec, curves)}", class_="static",
    )  # fmt: skip


def _draw_axes(x: Scale, y: Scale, unit: str, width: int, height: int) -> Markup:
    content = []
    for tick in y.ticks(6 if width > 600 else 4):
        at = f"{y.at(tick):.1f}"
        content.append(tag("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
        text = compact(tick) if abs(tick) >= 1e4 else significant(tick, 4)
        content.append(tag("text", text, x=x.start - 8, y=f"{y.at(tick) + 4:.1f}", text_anchor="end"))
    for tick in x.ticks((x.end - x.start) / 95):
        at = f"{x.at(tick):.1f}"
        content.append(tag("line", x1=at, x2=at, y1=y.start, y2=y.start + 5, class_="tick"))
        content.append(tag("text", compact(tick), x=at, y=y.start + 19, text_anchor="middle"))
    content.append(tag("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="base"))
    content.append(tag("text", "tokens trained on", x=x.end, y=height - 3, text_anchor="end", class_="title"))
    content.append(tag("text", unit, x=4, y=12, class_="title"))
    return tag("g", *content, class_="axis")


def _draw_entropies(
    entropies: Sequence[float], marks: Sequence[tuple[Curve, Points, Points]], y: Scale, left: int, right: int
) -> list[Markup]:
    """The exact entropy as a labelled line, and the gap that is left above it."""
    content = []
    for entropy in entropies[:3]:
        at = y.at(entropy)
        content.append(tag("line", x1=left, x2=right, y1=f"{at:.1f}", y2=f"{at:.1f}"))
        content.append(tag("text", f"exact entropy {fixed(entropy)}", x=left + 8, y=f"{at - 7:.1f}"))
    ends = [rings[-1][1] for _, _, rings in marks if rings]
    if len(entropies) == 1 and ends and y.at(entropies[0]) - y.at(min(ends)) > 3:
        start, end, at = y.at(min(ends)), y.at(entropies[0]), right + 9
        content.append(
            tag("path", class_="gap", d=f"M{at - 4},{start:.1f}h8M{at},{start:.1f}V{end:.1f}M{at - 4},{end:.1f}h8")
        )
        text = f"gap {fixed(min(ends) - entropies[0])}"
        content.append(tag("text", text, x=at + 9, y=f"{(start + end) / 2 + 4:.1f}", class_="gap-label"))
    return [tag("g", *content, class_="reference")] if content else []


def _clamped(y: Scale, value: float) -> float:
    return max(-9999.0, min(9999.0, y.at(value)))
