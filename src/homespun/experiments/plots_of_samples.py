"""The plot of the sampling experiment."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from homespun.experiments.plots import COLORS, INK, MARKERS, save_plot
from homespun.experiments.result import ExperimentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sampling(result: ExperimentResult, out: Path) -> list[str]:
    """Write what is allowed, mistakes and diversity over temperature, a line for each top-p."""
    cells, truth = result.figures["cells"], result.figures["grammars_own_stories"]
    drawn: dict[float, list[dict[str, Any]]] = {}
    for cell in cells:
        if cell["temperature"]:
            drawn.setdefault(cell["top_p"], []).append(cell)

    def draw(allowed: "Axes", mistakes: "Axes", diversity: "Axes") -> None:
        for number, (top_p, of_p) in enumerate(drawn.items()):
            color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
            style: dict[str, Any] = {"color": color, "marker": marker, "markersize": 4, "label": f"top-p {top_p:g}"}
            # Side by side, so that no interval hides another.
            shift = 0.012 * (number - (len(drawn) - 1) / 2)
            at = [cell["temperature"] + shift for cell in of_p]
            for panel, key in ((allowed, "allowed"), (mistakes, "mistakes_per_choice")):
                shares = [cell[key] for cell in of_p]
                below = [max(0.0, share["share"] - share["low"]) for share in shares]
                above = [max(0.0, share["high"] - share["share"]) for share in shares]
                panel.errorbar(at, [share["share"] for share in shares], yerr=[below, above], capsize=2, **style)
            diversity.plot(at, [cell["distinct_3grams"] for cell in of_p], **style)
        diversity.axhline(truth["distinct_3grams"], color=INK, linestyle="--", linewidth=1, label="the grammar's own")
        for panel, label in (
            (allowed, "stories that the grammar allows"),
            (mistakes, "mistakes per choice, up to the first"),
            (diversity, "distinct word 3-grams"),
        ):
            panel.set_xlabel("temperature")
            panel.set_ylabel(label)
            panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        allowed.set_ylim(bottom=0)
        mistakes.set_ylim(bottom=0)
        diversity.legend(fontsize=8)

    return [save_plot(out / "sampling.svg", draw, num_panels=3)]
