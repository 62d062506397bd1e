"""Progress bars with ETA on standard error: shown on a terminal, silent elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from homespun.progress import ProgressCallback, ignore_progress

_PATIENCE_SECONDS = 2.0


@contextmanager
def progress_bar(description: str, unit: str) -> Iterator[ProgressCallback]:
    """Yield a callback that draws a bar once the work has lasted two seconds.

    Args:
        description: What is being done, such as "counting words".
        unit: What is counted: "bytes" is drawn in MB and MB/s, anything else as it is.
    """
    if not sys.stderr.isatty():
        yield ignore_progress
        return
    # Imported here: a command without a terminal need not load the progress bar.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(description, total=None)
    began = time.monotonic()
    running = False

    def advance(done: int, total: int) -> None:
        nonlocal running
        if not running and time.monotonic() - began > _PATIENCE_SECONDS:
            bar.start()
            running = True
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        if running:
            bar.stop()
