"""Plots of experiments as SVG files, the same bytes for the same figures, readable on light and dark backgrounds."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homespun.files import make_directory, write_text_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#7a7a7a"
"""Of text and axes: 4.3 to 1 against white, 4.9 to 1 against black."""

COLORS = ("#3b82d0", "#d5632a", "#199a78", "#a86fb0", "#95822b", "#5f9ea8")
"""Told apart by color-blind readers, each at least 3 to 1 against white and black."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""One for each color, so that color never carries a meaning alone."""

_PANEL_INCHES = (5.6, 3.8)


def save_plot(path: Path, draw: Callable[..., None], *, num_panels: int = 1) -> str:
    """Draw into `num_panels` panels next to each other, write the SVG file, and return its name.

    Args:
        path: Of the file; its directory is made if absent.
        draw: Called with the panels' axes, one argument each.
        num_panels: Panels.

    Raises:
        StorageError: the disk refuses.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": path.stem,  # ids depend on nothing but the plot
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    file = io.StringIO()
    with rc_context(settings):
        # Figure rather than pyplot: no global state, no display.
        figure = Figure(figsize=(_PANEL_INCHES[0] * num_panels, _PANEL_INCHES[1]), layout="constrained")
        panels: list[Axes] = list(figure.subplots(1, num_panels, squeeze=False)[0])
        for panel in panels:
            panel.grid(visible=True, color=INK, alpha=0.25, linewidth=0.6)
            panel.set_axisbelow(True)
        draw(*panels)
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    make_directory(path.parent)
    # matplotlib leaves blanks at line ends.
    write_text_atomically(path, "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n")
    return path.name
