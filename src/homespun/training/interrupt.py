"""Ctrl-C as a polite request: the step is finished and saved; the second one is obeyed at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

StopAsked = Callable[[], bool]


def never_stop() -> bool:
    """The answer of whoever lets a run go to its end."""
    return False


@contextmanager
def stop_on_interrupt(on_request: Callable[[], None]) -> Iterator[StopAsked]:
    """Inside the block the first SIGINT is only noted, and the second raises `KeyboardInterrupt` as ever.

    Use it in the main thread: no other may handle signals.

    Args:
        on_request: Called at the first SIGINT, to tell the user that it was heard.
    """
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        on_request()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
