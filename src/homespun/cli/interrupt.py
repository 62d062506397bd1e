"""Ctrl-C finishes and saves the current step, then stops; a second Ctrl-C stops at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_interrupt(on_request: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Note the first SIGINT inside the block; let the second raise `KeyboardInterrupt` as usual.

    Use it in the main thread: no other may handle signals.

    Args:
        on_request: Called at the first SIGINT, to confirm it to the user.
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
