"""The page around a report: style, scripts and the policy that lets no other script or style run."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from homespun.reporting.chart import render_charts, shown_charts
from homespun.reporting.curves import Curve
from homespun.reporting.forest import BUDGETS
from homespun.reporting.markup import Markup, join, script_data, tag
from homespun.reporting.palette import theme_css

_KEYS = (
    "Arrow keys move the cursor, plus and minus zoom, 0 or Escape shows everything again. With a mouse: point for "
    "values, drag to zoom, double-click to reset."
)


def render_page(title: str, eyebrow: str, lede: str, sections: Sequence[tuple[str, str, Markup]], *,
                top: Markup, curves: Sequence[Curve]) -> str:  # fmt: skip
    """Return the HTML text of a page.

    Args:
        title: Its first heading.
        eyebrow: What kind of report it is.
        lede: The sentences below the heading.
        sections: (id, heading, content); those without content are left out.
        top: What comes before the sections.
        curves: What the scripts draw.
    """
    style, theme, script = _style(), _read("theme.js"), _script()
    policy = (
        f"default-src 'none'; style-src {_hash_of(style)}; script-src {_hash_of(theme)} "
        f"{_hash_of(script)}; base-uri 'none'; form-action 'none'"
    )
    shown = [section for section in sections if section[2]]
    links = [tag("a", name.capitalize(), href=f"#{name}") for name, _, _ in shown]
    data = {
        "curves": [curve.as_json() for curve in curves],
        "charts": [{"id": c.id, "metric": c.metric, "title": c.title, "unit": c.unit, "main": c.main}
                   for c in shown_charts(curves)],
        "budgets": {name: text.removeprefix("equal ") for name, text in BUDGETS.items()},
    }  # fmt: skip
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"homespun: {title}"),
        tag("style", Markup(style)),
        tag("script", Markup(theme)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the figures", href="#main", class_="skip"),
        tag(
            "header",
            tag("div", tag("span", "homespun", class_="wordmark"), tag("nav", *links, aria_label="Sections"),
                tag("div", id="theme"), class_="bar"),
            class_="top",
        ),
        tag(
            "main",
            tag("p", eyebrow, class_="eyebrow"), tag("h1", title), tag("p", lede, class_="lede"), top,
            *(tag("section", tag("h2", heading, id=f"{name}-heading"), content, id=name,
                  aria_labelledby=f"{name}-heading") for name, heading, content in shown),
            id="main", tabindex=-1,
        ),
        tag("footer", tag("p", "Written by ", tag("code", "homespun report"), " from run directories alone. This file "
                               "loads nothing and sends nothing.")),
        script_data("data", data),
        tag("script", Markup(script)),
    )  # fmt: skip
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def render_curves(curves: Sequence[Curve]) -> Markup:
    """Return the section with all charts, their legend and the place of their controls."""
    if not curves or not shown_charts(curves):
        return Markup("")
    # As the scripts do: the curves of one budget at a time.
    listed = [curve for curve in curves if curve.budget == curves[0].budget]
    legend = [
        tag("li", tag("span", _key(), tag("span", curve.name), class_=f"chip c{curve.color} d{curve.dash}"))
        for curve in listed
    ]
    return join(
        tag("div", id="controls", class_="controls", hidden=True),
        tag("ul", *legend, id="legend", class_="legend", aria_label="Curves"),
        render_charts(curves),
        tag("p", _KEYS, id="chart-keys", class_="hint"),
        tag("p", id="live", class_="hidden", aria_live="polite"),
    )


def _key() -> Markup:
    line = tag("path", class_="line", d="M1,5H25")
    return tag("svg", line, width=26, height=10, class_="key", aria_hidden="true")


@cache
def _read(name: str) -> str:
    text = files("homespun.reporting").joinpath("page", name).read_text(encoding="utf-8")
    # Inside the elements nothing is escaped, so nothing may end them.
    assert "</" not in text, f"{name} would end the element that it is in"
    return text


@cache
def _style() -> str:
    return theme_css() + _read("page.css") + _read("charts.css")


@cache
def _script() -> str:
    return (
        '(() => {\n"use strict";\n' + "".join(map(_read, ("scales.js", "chart.js", "view.js", "page.js"))) + "})();\n"
    )


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
