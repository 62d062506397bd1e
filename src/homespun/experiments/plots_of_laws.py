"""The plot of the scaling law."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from homespun.experiments.plots import INK, save_plot
from homespun.experiments.result import ExperimentResult
from homespun.experiments.scaling import ScalingLaw

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scaling_law(result: ExperimentResult, out: Path) -> list[str]:
    """Write the loss over tokens with the law's curve for each size, and E of every fit next to the exact entropy."""
    from matplotlib import colormaps

    figures = result.figures
    law = ScalingLaw(**figures["third_approach"]["without_tables"]["law"])
    exact = figures["exact"]
    sizes = sorted({run["num_parameters"] for run in figures["runs"]})

    def draw(curves: "Axes", limits: "Axes") -> None:
        # The middle of the map: its ends vanish on light or dark backgrounds.
        colors = colormaps["viridis"](np.linspace(0.3, 0.8, len(sizes)))
        for size, color in zip(sizes, colors, strict=True):
            runs = [run for run in figures["runs"] if run["num_parameters"] == size]
            tokens = np.geomspace(min(run["tokens"] for run in runs), max(run["tokens"] for run in runs), 60)
            curves.plot([run["tokens"] for run in runs], [run["loss"] for run in runs], "o", color=color, markersize=4)
            curves.plot(tokens, law.loss(float(size), tokens), color=color, linewidth=1, label=f"{size / 1e6:.2f} M")
        curves.axhline(law.e, color=INK, linestyle=":", linewidth=1.2, label="fitted E")
        if exact is not None:
            curves.axhline(exact, color=INK, linestyle="--", linewidth=1.2, label="exact entropy")
        curves.set_xscale("log")
        curves.set_yscale("log")
        # Two decades at most: labels between the powers of ten would overlap.
        curves.xaxis.set_minor_formatter("")
        for formatter in (curves.yaxis.set_major_formatter, curves.yaxis.set_minor_formatter):
            formatter("{x:g}")
        curves.set_xlabel("tokens")
        curves.set_ylabel("bits per byte")
        curves.legend(fontsize=7, ncols=2)
        fits = figures["third_approach"]
        for place, fit in enumerate(fits.values()):
            low, high = fit["intervals"]["e"]
            limits.plot([low, high], [place, place], color=INK, linewidth=1.5)
            limits.plot(fit["law"]["e"], place, "o", color=INK, markersize=5)
        limits.set_yticks(range(len(fits)), [name.replace("_", " ") for name in fits], fontsize=8)
        limits.set_ylim(-0.5, len(fits) - 0.5)
        limits.invert_yaxis()
        if exact is not None:
            limits.axvline(exact, color="#d5632a", linestyle="--", linewidth=1.2, label="exact entropy")
            limits.legend(fontsize=8)
        limits.set_xlabel("irreducible loss E, bits per byte, 95 % interval")

    return [save_plot(out / "scaling-law-fit.svg", draw, num_panels=2)]
