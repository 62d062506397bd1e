"""Progress of long work, reported through a callback of (done, total) that is called now and then.

Libraries never print; the command line passes a progress bar, other callers nothing.
"""

from collections.abc import Callable

ProgressCallback = Callable[[int, int], None]
"""Called with (units done, units in all); the function that takes the callback states the unit."""


def ignore_progress(done: int, total: int) -> None:
    """Ignore progress (the default)."""
