"""A signal to end finishes and saves the current step, then stops; a second Ctrl-C stops at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""Ctrl-C; what `kill` and job schedulers send; a closed terminal; a scheduler's warning before its time limit."""


class StopRequest:
    """Whether the process was asked to stop, and by which signal; call it to ask."""

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None

    def __call__(self) -> bool:
        return self._signal is not None

    @property
    def exit_code(self) -> int:
        """What a shell says of a process that a signal ended: 130 for Ctrl-C, 143 for SIGTERM; 0 without a signal."""
        return 0 if self._signal is None else 128 + self._signal

    def note(self, number: int) -> None:
        """Keep the first signal."""
        self._signal = self._signal or signal.Signals(number)


@contextmanager
def stop_on_signal(on_request: Callable[[], None]) -> Iterator[StopRequest]:
    """Note the first signal to end inside the block; let a second Ctrl-C raise `KeyboardInterrupt` as usual.

    Use it in the main thread: no other may handle signals.

    Args:
        on_request: Called at the first signal, to confirm it to the user.
    """
    request = StopRequest()

    def note(number: int, _frame: FrameType | None) -> None:
        is_first = not request()
        request.note(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if is_first:
            on_request()

    # `nohup` has SIGHUP ignored, and means it.
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {
        number: signal.getsignal(number)
        for number in numbers
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        for number in before:
            signal.signal(number, note)
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
