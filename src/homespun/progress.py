"""Progress of long work, reported through a callback of (done, total) that is called now and then.

Libraries never print; the command line passes a progress bar, other callers nothing.
"""

from collections.abc import Callable

ProgressCallback = Callable[[int, int], None]
"""Called with (units done, units in all); the function that takes the callback states the unit."""


def ignore_progress(done: int, total: int) -> None:
    """Ignore progress (the default)."""


def in_equal_parts(on_progress: ProgressCallback, total: int, num_parts: int) -> Callable[[object], None]:
    """Return a function to call after each of `num_parts` equally long tasks; its argument, the result, is ignored."""
    num_done = 0

    def note_task(_result: object) -> None:
        nonlocal num_done
        num_done += 1
        on_progress(total * num_done // num_parts, total)

    return note_task
