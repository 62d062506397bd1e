"""Signals that ask a run to stop. Oracle: what each is for, and the shell's rule for exit codes."""

import signal

import pytest

from homespun.cli.interrupt import stop_on_signal

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGUSR1": 138}


def test_first_interrupt_asks_second_aborts():
    before = signal.getsignal(signal.SIGINT)
    heard = []
    with stop_on_signal(lambda: heard.append(1)) as stop_asked:
        assert not stop_asked()
        assert stop_asked.exit_code == 0
        signal.raise_signal(signal.SIGINT)
        assert stop_asked()
        assert heard == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", [name for name in CODES if hasattr(signal, name)])
def test_every_signal_to_end_asks_once(name):
    number, heard = getattr(signal, name), []
    before = signal.getsignal(number)
    with stop_on_signal(lambda: heard.append(1)) as stop_asked:
        signal.raise_signal(number)
        if number != signal.SIGINT:
            signal.raise_signal(number)
        assert (stop_asked(), stop_asked.exit_code, heard) == (True, CODES[name], [1])
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal(lambda: None) as stop_asked:
            signal.raise_signal(signal.SIGHUP)
            assert not stop_asked()
    finally:
        signal.signal(signal.SIGHUP, before)
