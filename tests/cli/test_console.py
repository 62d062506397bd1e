"""What a run shows on standard error. Oracles: the lines and figures written out; a terminal of the system's own."""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from homespun.cli import console as console_module
from homespun.cli.console import TrainingConsole
from homespun.errors import TrainingError
from homespun.records import TrainRecord, ValidationRecord
from homespun.training.events import CheckpointSaved, Sampled, StepLogged, StepTaken, Validated

VALIDATION = ValidationRecord(
    step=5, tokens=5, loss=1.0, perplexity=2.718, bits_per_byte=0.5, num_tokens=1000, num_bytes=4000, whole=False,
    seconds=1.0,
)  # fmt: skip


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console_module, "time", clock)
    return clock


def logged(step):
    return StepLogged(
        record=TrainRecord(
            step=step,
            tokens=step,
            loss=2.5,
            lr=0.01,
            grad_norm=1.5,
            tokens_per_second=1234.5,
            mfu=0.25,
            seconds=60.0,
            memory_bytes=1_230_000_000,
        )
    )


def test_a_logged_step_is_printed_every_ten_seconds(clock, capsys):
    with TrainingConsole(num_steps=100) as console:
        for step in range(10, 60, 10):
            console(logged(step))
            clock.now += 4
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["step 10 of 100", "step 40 of 100"]
    assert lines[0] == (
        "step 10 of 100: loss 2.5000, lr 1.00e-02, gradient norm 1.50, 1,234 tokens/s, MFU 25.0%, "
        "memory 1.23 GB, about 9 min left"
    )


def test_memory_that_is_not_known_is_not_shown_as_zero(clock, capsys):
    event = logged(10)
    with TrainingConsole(num_steps=100) as console:
        console(replace(event, record=replace(event.record, memory_bytes=0)))
    assert "memory unknown" in capsys.readouterr().err


def test_every_other_event_is_printed_in_one_line(clock, capsys):
    with TrainingConsole(num_steps=5) as console:
        console(StepTaken(step=5, loss=1.0, tokens_per_second=1.0))
        console(Validated(record=VALIDATION))
        console(Sampled(step=5, texts=["Once\n\nupon", "a time"]))
        console(CheckpointSaved(step=5, path=Path("runs/a/checkpoints/step-000005.safetensors")))
    assert capsys.readouterr().err.splitlines() == [
        "step 5: scoring the whole validation set",
        "step 5: validation loss 1.0000, perplexity 2.72, 0.5000 bits per byte (first 1,000 tokens)",
        "step 5: sample: Once upon",
        "step 5: saved runs/a/checkpoints/step-000005.safetensors",
    ]


HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A terminal as standard error; `read` returns all that was written to it, once."""

    def __init__(self, monkeypatch, columns):
        self._master, slave = os.openpty()
        self.written = ""
        self._reader = Thread(target=self._collect)
        self._reader.start()
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", "24")
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        self.file = open(slave, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, closed by `read`
        monkeypatch.setattr(sys, "stderr", self.file)

    def _collect(self):
        pieces = []
        try:
            while piece := os.read(self._master, 65536):
                pieces.append(piece)
        except OSError:  # the other end is closed
            pass
        os.close(self._master)
        self.written = b"".join(pieces).decode()

    def read(self):
        self.file.close()
        self._reader.join(timeout=10)
        return self.written


def last_frame(written):
    """The lines below the last "training", without escapes."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "")
    return [line.rstrip() for line in plain[plain.rindex("training") :].splitlines() if line.strip()]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals of one's own")
@pytest.mark.parametrize("columns", [20, 40, 120])
def test_a_terminal_shows_the_latest_figures(monkeypatch, columns):
    """However narrow the terminal is, every figure is shown whole."""
    terminal = Terminal(monkeypatch, columns)
    with TrainingConsole(num_steps=100, steps_done=4) as console:
        console(StepTaken(step=5, loss=3.0, tokens_per_second=900.0))
        console(Validated(record=VALIDATION))
        console(StepTaken(step=6, loss=2.0, tokens_per_second=1234.5))
        console(logged(6))
        during = sys.stderr
        console.tell_stopping()
    assert during is not terminal.file, "what others print goes above the display"
    assert sys.stderr is terminal.file
    written = terminal.read()
    frame = last_frame(written)
    assert all(len(line) <= columns for line in frame)
    shown = " ".join(" ".join(frame).split())
    for figure in ("step 6 of 100", "loss 2.5000 (last 2.0000)", "1,234 tokens/s", "lr 1.00e-02", "MFU 25.0%",
                   "memory 1.23 GB", "validation 1.0000 at step 5", "stopping after this step"):  # fmt: skip
        assert figure in shown
    assert (written.count(HIDE_CURSOR), written.count(SHOW_CURSOR)) == (1, 1)
    assert written.index(HIDE_CURSOR) < written.index(SHOW_CURSOR)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals of one's own")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TrainingError])
def test_an_error_leaves_the_terminal_as_it_was(monkeypatch, error):
    terminal = Terminal(monkeypatch, 80)

    def train():
        with TrainingConsole(num_steps=100) as console:
            console(StepTaken(step=5, loss=3.0, tokens_per_second=900.0))
            raise error

    with pytest.raises(error):
        train()
    assert sys.stderr is terminal.file
    written = terminal.read()
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)
    assert "loss 3.0000" in written
