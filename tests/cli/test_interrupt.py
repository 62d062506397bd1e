import signal

import pytest

from homespun.cli.interrupt import stop_on_interrupt


def test_first_interrupt_asks_second_aborts():
    before = signal.getsignal(signal.SIGINT)
    heard = []
    with stop_on_interrupt(lambda: heard.append(1)) as stop_asked:
        assert not stop_asked()
        signal.raise_signal(signal.SIGINT)
        assert stop_asked()
        assert heard == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
