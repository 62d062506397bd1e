"""The plots of the experiments on tokenizers and corpora."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from homespun.experiments.plots import COLORS, MARKERS, save_plot
from homespun.experiments.result import ExperimentResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_tokenizers(result: ExperimentResult, out: Path) -> list[str]:
    """Write bytes per token of every text by vocabulary size, one panel for each corpus trained on; and the profile."""
    curves, training = result.figures["vocabulary_sizes"], result.figures["training"]

    def draw(*panels: "Axes") -> None:
        top = max(max(line) for curve in curves for line in curve["bytes_per_token"].values())
        for panel, curve in zip(panels, curves, strict=True):
            lines = curve["bytes_per_token"].items()
            for (text, line), color, marker in zip(lines, COLORS, MARKERS, strict=False):
                panel.plot(curve["vocab_sizes"], line, color=color, marker=marker, markersize=4, label=text)
            panel.set_xscale("log")
            panel.set_ylim(1, top * 1.05)
            panel.set_xlabel("vocabulary")
            panel.set_ylabel("bytes per token, held-out text")
            panel.set_title(f"trained on {curve['trained_on']}", fontsize=10)
            panel.legend(title="text", fontsize=8, title_fontsize=8)

    def draw_profile(panel: "Axes") -> None:
        names = [f"{row['corpus']}\n{row['train_bytes'] / 1e6:.0f} MB" for row in training]
        left = np.zeros(len(names))
        for phase, label, color in (
            ("counting", "pre-tokenizing, counting", COLORS[0]),
            ("merging", "merging", COLORS[1]),
        ):
            width = np.array([row[phase]["cpu_seconds"] for row in training])
            panel.barh(names, width, left=left, color=color, label=label, height=0.5)
            left += width
        panel.set_xlabel("processor seconds")
        panel.legend(fontsize=8)

    return [
        save_plot(out / "tokenizers.svg", draw, num_panels=len(curves)),
        save_plot(out / "tokenizers-profile.svg", draw_profile),
    ]


def plot_corpora(result: ExperimentResult, out: Path) -> list[str]:
    """Write the bits per byte of each corpus under the unigram and the bigram."""
    rows = result.figures["corpora"]

    def draw(panel: "Axes") -> None:
        for index, (model, label) in enumerate((("unigram", "frequency alone"), ("bigram", "after one token"))):
            places = np.arange(len(rows)) + (index - 0.5) * 0.36
            heights = [row[model]["bits_per_byte"] for row in rows]
            bars = panel.bar(places, heights, width=0.34, color=COLORS[index], label=label)
            panel.bar_label(bars, fmt="%.2f", fontsize=8)
        panel.set_xticks(range(len(rows)), [row["name"] for row in rows])
        panel.set_ylabel("bits per byte, held-out text")
        panel.margins(y=0.12)
        panel.legend(fontsize=8)

    return [save_plot(out / "corpora.svg", draw)]
