"""How long work tells its caller how far it is: a function of (done, total), called now and then.

Libraries never print; the command line hands in a progress bar, everybody else nothing.
"""

from collections.abc import Callable

ProgressCallback = Callable[[int, int], None]
"""Called with (units done, units in all); the unit is stated by whoever takes the callback."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with the news: the default wherever a callback is taken."""


def in_equal_parts(on_progress: ProgressCallback, total: int, num_parts: int) -> Callable[[object], None]:
    """A function to call with what each of `num_parts` equal parts of a work came to, in whatever order they end."""
    num_done = 0

    def note_part(_result: object) -> None:
        nonlocal num_done
        num_done += 1
        on_progress(total * num_done // num_parts, total)

    return note_part
