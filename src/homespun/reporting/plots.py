"""Curves as SVG text, the same bytes for the same records.

No text of a run reaches matplotlib, which would read $...$ as mathematics, hide names that begin with _ and lack most
alphabets: names stand in the HTML legend, next to their color.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from homespun.reporting.run import ReportedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_INCHES = (7.2, 3.6)
_NUM_COLORS = 10
# matplotlib computes margins and ticks beyond the data, which overflows near the largest float.
_LARGEST_SHOWN = 1e30


def color_of(index: int) -> str:
    """Return the color of the run number `index`, for matplotlib and for HTML."""
    from matplotlib.colors import to_hex

    return to_hex(f"C{index % _NUM_COLORS}")


def plot_loss(runs: Sequence[ReportedRun]) -> str:
    """Training loss (thin line) and validation loss (dots) in nats per token, over tokens trained on."""

    def draw(axes: "Axes") -> None:
        for index, run in enumerate(runs):
            _draw(axes, index, [(record.tokens, record.loss) for record in run.train], linewidth=0.8, alpha=0.6)
            _draw(axes, index, [(record.tokens, record.loss) for record in run.validation], marker="o", markersize=3)

    return _plot(draw, "tokens trained on", "loss (nats per token)", salt="loss")


def plot_bits_per_byte(runs: Sequence[ReportedRun]) -> str:
    """Validation bits per byte over tokens (dots), with the documents' exact entropy (dashed) where it is known."""

    def draw(axes: "Axes") -> None:
        for index, run in enumerate(runs):
            points = [(record.tokens, record.bits_per_byte) for record in run.validation]
            _draw(axes, index, points, marker="o", markersize=3)
            if run.entropy is not None and run.entropy.bits_per_byte < _LARGEST_SHOWN:
                axes.axhline(run.entropy.bits_per_byte, color=color_of(index), linestyle="--", linewidth=1)

    return _plot(draw, "tokens trained on", "bits per byte", salt="bits-per-byte")


def plot_learning_rate(runs: Sequence[ReportedRun]) -> str:
    """Learning rate (line) and gradient norm (dotted) over steps."""

    def draw(axes: "Axes") -> None:
        norms = axes.twinx()
        norms.set_ylabel("gradient norm (dotted)")
        norms.yaxis.set_major_formatter("{x:g}")
        for index, run in enumerate(runs):
            _draw(axes, index, [(record.step, record.lr) for record in run.train])
            _draw(norms, index, [(record.step, record.grad_norm) for record in run.train], linestyle=":", linewidth=0.8)

    return _plot(draw, "step", "learning rate", salt="learning-rate")


def count_not_shown(run: ReportedRun) -> int:
    """Return how many of the run's values are not finite or too large to draw."""
    values = [value for record in run.train for value in (record.loss, record.lr, record.grad_norm)]
    values += [value for record in run.validation for value in (record.loss, record.bits_per_byte)]
    return sum(not _is_shown(value) for value in values)


def _is_shown(value: float) -> bool:
    return abs(value) < _LARGEST_SHOWN  # False for NaN


def _draw(axes: "Axes", index: int, points: Iterable[tuple[float, float]], **style: Any) -> None:
    points = [(x, y) for x, y in points if _is_shown(y)]
    if len(points) == 1:
        style |= {"marker": "o", "markersize": 4}  # a line of one point is invisible
    axes.plot([x for x, _ in points], [y for _, y in points], color=color_of(index), **style)


def _plot(draw: Callable[["Axes"], None], x_label: str, y_label: str, *, salt: str) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    file = io.StringIO()
    # Text stays text; ids and date depend on nothing but the plot, so that equal runs give equal reports.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        # Figure rather than pyplot: no global state, no display.
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(visible=True, alpha=0.3)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        draw(axes)
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    svg = file.getvalue()
    return svg[svg.index("<svg") :]
