"""What a run prints where standard error is not a terminal."""

from pathlib import Path

import pytest

from homespun.cli import console as console_module
from homespun.cli.console import TrainingConsole
from homespun.records import TrainRecord, ValidationRecord
from homespun.training.events import CheckpointSaved, Sampled, StepLogged, StepTaken, Validated


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
            step=step, tokens=step, loss=2.5, lr=0.01, grad_norm=1.5, tokens_per_second=1234.5, mfu=0.25, seconds=60.0
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
        "step 10 of 100: loss 2.5000, lr 1.00e-02, gradient norm 1.50, 1,234 tokens/s, MFU 25.0%, about 9 min left"
    )


def test_every_other_event_is_printed_in_one_line(clock, capsys):
    record = ValidationRecord(
        step=5, tokens=5, loss=1.0, perplexity=2.718, bits_per_byte=0.5, num_tokens=1000, num_bytes=4000, whole=False,
        seconds=1.0,
    )  # fmt: skip
    with TrainingConsole(num_steps=5) as console:
        console(StepTaken(step=5, loss=1.0, tokens_per_second=1.0))
        console(Validated(record=record))
        console(Sampled(step=5, texts=["Once\n\nupon", "a time"]))
        console(CheckpointSaved(step=5, path=Path("runs/a/checkpoints/step-000005.safetensors")))
    assert capsys.readouterr().err.splitlines() == [
        "step 5: scoring the whole validation set",
        "step 5: validation loss 1.0000, perplexity 2.72, 0.5000 bits per byte (first 1,000 tokens)",
        "step 5: sample: Once upon",
        "step 5: saved runs/a/checkpoints/step-000005.safetensors",
    ]
