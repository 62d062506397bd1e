"""The ruler below the large figures: from nothing over the exact entropy to what each run reached, the gap named."""

from collections.abc import Sequence

from homespun.reporting.axes import Scale
from homespun.reporting.curves import Curve
from homespun.reporting.figures import fixed, shorten, significant
from homespun.reporting.markup import Markup, tag

_WIDE, _NARROW = 920, 320
"""Widths of the two pictures, of which the page shows the one that fits the screen."""
_LINE = 74
_CHARACTER = 7.0
"""Width of one, about, in the pictures' units."""


def render_ruler(entropy: float, reached: Sequence[tuple[float, Curve]]) -> Markup:
    """Return the ruler; "" where nothing was reached above the entropy.

    Args:
        entropy: Bits per byte of the text that was scored.
        reached: What each curve reached on that text, the best first.
    """
    if not reached or not 0 < entropy < reached[0][0]:
        return Markup("")
    # One poor run must not squeeze the others together: its mark stands at the end, with an arrow.
    limit = min(reached[-1][0], max(reached[0][0] * 2.5, reached[len(reached) // 2][0] * 1.3))
    rulers = (_draw(entropy, reached, limit, width) for width in (_WIDE, _NARROW))
    return tag("div", *rulers, class_="ruler-box")


def _draw(entropy: float, reached: Sequence[tuple[float, Curve]], limit: float, width: int) -> Markup:
    x = Scale(0.0, limit * 1.04, 6, width - 6)
    at_entropy, at_best = x.at(entropy), x.at(reached[0][0])
    content = [
        tag("rect", x=6, y=_LINE - 9, width=f"{at_entropy - 6:.1f}", height=18, class_="floor"),
        tag(
            "rect", x=f"{at_entropy:.1f}", y=_LINE - 9, width=f"{at_best - at_entropy:.1f}", height=18, class_="gap-bar"
        ),
        tag("line", x1=6, x2=width - 6, y1=_LINE + 9, y2=_LINE + 9, class_="base"),
        tag(
            "line", x1=f"{at_entropy:.1f}", x2=f"{at_entropy:.1f}", y1=_LINE - 29, y2=_LINE + 14, class_="mark-entropy"
        ),
        _label_entropy(entropy, at_entropy),
        *_label_bars(at_entropy, at_best, reached[0][0] - entropy),
    ]
    for tick in x.ticks(8 if width == _WIDE else 4):
        at = f"{max(12.0, x.at(tick)):.1f}"
        content.append(tag("text", significant(tick, 4), x=at, y=_LINE + 27, text_anchor="middle", class_="tick"))
    content.append(tag("text", "bits per byte", x=width - 6, y=_LINE + 44, text_anchor="end", class_="tick"))
    marks = _draw_marks(reached, x, limit, at_entropy)
    names = "; ".join(f"{curve.name} {fixed(value)}" for value, curve in reached[:12])
    is_high, is_highest = (any(f'y="{_LINE - rise}"' in label for label in [*marks, *content]) for rise in (36, 54))
    top = 6 if is_highest else 24 if is_high else 40
    return tag(
        "svg",
        *content,
        *marks,
        # No higher than the highest label.
        viewBox=f"0 {top} {width} {_LINE + 50 - top}",
        role="img",
        class_="ruler wide" if width == _WIDE else "ruler narrow",
        aria_label=f"Bits per byte: exact entropy {fixed(entropy)}; reached: {names}",
    )


def _label_entropy(entropy: float, at_entropy: float) -> Markup:
    text = f"exact entropy {fixed(entropy)}"
    # Left of its line, where no run can be; above the runs' names where there is no room.
    fits = at_entropy - 8 > len(text) * _CHARACTER
    return tag(
        "text",
        text,
        x=f"{at_entropy - 7 if fits else max(6.0, at_entropy - 20):.1f}",
        y=_LINE - 18 if fits else _LINE - 54,
        text_anchor="end" if fits else "start",
        class_="label-entropy",
    )


def _label_bars(at_entropy: float, at_best: float, gap: float) -> list[Markup]:
    labels = []
    for text in ("information in the text itself", "in the text itself", "in the text"):
        if at_entropy - 14 > len(text) * 6.4:
            middle = f"{(6 + at_entropy) / 2:.1f}"
            labels.append(tag("text", text, x=middle, y=_LINE + 4, text_anchor="middle", class_="inside"))
            break
    if at_best - at_entropy > 90:
        middle = f"{(at_entropy + at_best - 6) / 2:.1f}"
        labels.append(tag("text", f"gap {fixed(gap)}", x=middle, y=_LINE + 4, text_anchor="middle", class_="gap-text"))
    return labels


def _draw_marks(reached: Sequence[tuple[float, Curve]], x: Scale, limit: float, at_entropy: float) -> list[Markup]:
    """A dot for each curve, and the names of as many as fit in two rows, the best first."""
    dots, names = [], []
    ends = {_LINE - 18: at_entropy + 6, _LINE - 36: -1e9}
    for value, curve in reached:
        beyond = value > limit * 1.02
        at = x.at(limit * 1.03) if beyond else x.at(value)
        dots.append(tag("circle", cx=f"{at:.1f}", cy=_LINE, r=6, class_=f"dot c{curve.color}"))
        name = f"{shorten(curve.name, 24)} {fixed(value)}"
        half = len(name) * _CHARACTER / 2
        center = min(max(at, half + 6), x.end - half)
        for row, end in ends.items():
            # Row by row, and no further from its dot than that its middle still points there.
            if center - half > end and abs(center - at) < half + 6:
                ends[row] = center + half + 10
                arrow = " \u2192" if beyond else ""
                at_name = f"{center:.1f}"
                css = f"end c{curve.color}"
                names.append(tag("text", name + arrow, x=at_name, y=row, text_anchor="middle", class_=css))
                break
    return [*reversed(dots), *names]
