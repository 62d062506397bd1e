"""Markdown of the handbook's tables."""

import html


def make_table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; the first column is aligned to the left, the others are as they come."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ["---"] * len(heads), *rows))


def number(value: float | str | None) -> str:
    """A number with three digits that count; text as code, for its spaces."""
    if value is None:
        return ""
    if isinstance(value, str):
        return code(value) if value != value.strip() else escape(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"


def code(token: str) -> str:
    """A token as code, in quotes that show its spaces; the middle of a long one is left out."""
    shown = token if len(token) <= 40 else f"{token[:20]}...{token[-5:]}"
    quoted = shown if shown.endswith("'") else repr(shown)
    return f"<code>{escape(quoted)}</code>"


def escape(text: str) -> str:
    """Text without what a table or HTML would take for its own."""
    return html.escape(text, quote=False).replace("|", "&#124;")
