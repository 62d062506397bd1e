"""Loss curves as SVG text, the same bytes for the same records."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from homespun.reporting.run import ReportedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE_INCHES = (7.2, 3.6)


def plot_loss(runs: Sequence[ReportedRun]) -> str:
    """Training loss (thin) and validation loss (dots) in nats per token, over tokens trained on."""
    figure, axes = _start("tokens trained on", "loss (nats per token)")
    for index, run in enumerate(runs):
        color = f"C{index % 10}"
        if run.train:
            axes.plot(
                [record.tokens for record in run.train],
                [record.loss for record in run.train],
                color=color,
                linewidth=0.8,
                alpha=0.6,
                label=f"{run.name}, training",
            )
        if run.validation:
            axes.plot(
                [record.tokens for record in run.validation],
                [record.loss for record in run.validation],
                color=color,
                marker="o",
                markersize=3,
                label=f"{run.name}, validation",
            )
    return _finish(figure, axes, salt="loss")


def plot_bits_per_byte(runs: Sequence[ReportedRun]) -> str:
    """Validation bits per byte over tokens, with the exact entropy of the documents as a line where it is known."""
    figure, axes = _start("tokens trained on", "bits per byte")
    for index, run in enumerate(runs):
        color = f"C{index % 10}"
        axes.plot(
            [record.tokens for record in run.validation],
            [record.bits_per_byte for record in run.validation],
            color=color,
            marker="o",
            markersize=3,
            label=f"{run.name}, validation",
        )
        if run.entropy is not None:
            axes.axhline(
                run.entropy.bits_per_byte,
                color=color,
                linestyle="--",
                linewidth=1,
                label=f"{run.name}, exact entropy of the documents",
            )
    return _finish(figure, axes, salt="bits-per-byte")


def plot_learning_rate(runs: Sequence[ReportedRun]) -> str:
    """Learning rate and gradient norm over steps."""
    figure, axes = _start("step", "learning rate")
    norms = axes.twinx()
    norms.set_ylabel("gradient norm (dotted)")
    for index, run in enumerate(runs):
        steps = [record.step for record in run.train]
        color = f"C{index % 10}"
        axes.plot(steps, [record.lr for record in run.train], color=color, label=run.name)
        norms.plot(steps, [record.grad_norm for record in run.train], color=color, linestyle=":", linewidth=0.8)
    return _finish(figure, axes, salt="learning-rate")


def _start(x_label: str, y_label: str) -> tuple["Figure", "Axes"]:
    # Figure rather than pyplot: no global state, no display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, alpha=0.3)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure, axes


def _finish(figure: "Figure", axes: "Axes", *, salt: str) -> str:
    from matplotlib import rc_context

    axes.legend(fontsize="small")
    file = io.StringIO()
    # Text stays text; ids and date depend on nothing but the plot, so that equal runs give equal reports.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    return svg[svg.index("<svg") :]
