"""The live display of a training run: a bar with the time remaining, and the latest figures."""

from contextlib import ExitStack

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_REFRESHES_PER_SECOND = 4


class LiveDisplay(ExitStack):
    """Drawn at the bottom of a terminal on standard error while it is open; use it in a `with` block.

    Whatever ends the block, the terminal is as it was before: the cursor shows, and standard error is not redirected.
    """

    def __init__(self, num_steps: int, steps_done: int) -> None:
        super().__init__()
        self.note = ""
        """Shown below the figures. A signal handler may set it: it prints nothing."""
        self._console = Console(stderr=True)
        self._num_steps = num_steps
        self._figures: dict[str, str] = {}
        columns = (TextColumn("training"), BarColumn(bar_width=None), TimeRemainingColumn(), TextColumn("left"))
        self._progress = Progress(*columns, console=self._console, expand=True)
        self._task = self._progress.add_task("", total=num_steps, completed=steps_done)

    def __enter__(self) -> "LiveDisplay":
        self.enter_context(
            Live(get_renderable=self._render, console=self._console, refresh_per_second=_REFRESHES_PER_SECOND)
        )
        return self

    def show_step(self, step: int, **figures: str) -> None:
        """Move the bar to `step`, and show figures as `show` does."""
        self._progress.update(self._task, completed=step)
        self.show(step=f"{step:,} of {self._num_steps:,}", **figures)

    def show(self, **figures: str) -> None:
        """Show figures by their names, in the order in which they were first shown, until they are replaced."""
        self._figures |= figures

    def print_line(self, line: str) -> None:
        """Print one line above the display."""
        self._console.print(line, markup=False, highlight=False)

    def _render(self) -> Group:
        # Copied: the display has a thread of its own.
        figures = Columns([Text(f"{name} {figure}") for name, figure in [*self._figures.items()]], padding=(0, 2))
        return Group(self._progress, *([figures] if self._figures else []), *([Text(self.note)] if self.note else []))
