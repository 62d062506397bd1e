"""How long work tells its caller how far it is: a function of (done, total), called now and then.

Libraries never print; the command line hands in a progress bar, everybody else nothing.
"""

from collections.abc import Callable

ProgressCallback = Callable[[int, int], None]
"""Called with (units done, units in all); the unit is stated by whoever takes the callback."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with the news: the default wherever a callback is taken."""
