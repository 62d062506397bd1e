import json
from dataclasses import asdict

import pytest

from homespun.evaluation.evaluate import Evaluation
from homespun.training import meter as meter_module
from homespun.training.engine import StepOutcome
from homespun.training.meter import Meter, MeterState
from homespun.typed_json import build_from_json

OUTCOME = StepOutcome(loss=2.0, grad_norm=1.0, grad_norms={"head": 0.5}, lr=0.1)
EVALUATION = Evaluation(nats=20.0, num_tokens=10, num_bytes=40, whole=True)


class Clock:
    """A clock that moves only when told to; two threads compute whenever it does."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return 2 * self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(meter_module, "time", clock)
    return clock


def make():
    return Meter(tokens_per_step=50, flops_per_token=3.0, peak_flops=1000.0)


def take_steps(meter, clock, count, seconds):
    for _ in range(count):
        with meter.timed_step():
            clock.now += seconds
        meter.note_loss(2.0)


def test_rates_are_over_the_steps_since_the_last_record(clock):
    """Derived by hand: 50 tokens in 2 s, at 3 FLOPs each of 1,000 a second; validation in between is not counted."""
    meter = make()
    take_steps(meter, clock, 4, 1.0)
    meter.record_step(4, OUTCOME, 4096)
    clock.now += 30
    take_steps(meter, clock, 2, 2.0)
    record = meter.record_step(6, OUTCOME, 4096)
    assert record.tokens_per_second == 25.0
    assert record.mfu == pytest.approx(0.075)
    assert (record.tokens, record.seconds) == (300, 4 + 30 + 4)
    assert (record.grad_norm, record.grad_norms, record.memory_bytes) == (1.0, {"head": 0.5}, 4096)


def test_it_counts_on_after_a_resume(clock):
    meter = make()
    take_steps(meter, clock, 2, 1.0)
    meter.record_validation(2, EVALUATION)
    state = build_from_json(MeterState, json.loads(json.dumps(asdict(meter.state()))))
    clock.now += 1000
    resumed = make()
    resumed.restore(state)
    take_steps(resumed, clock, 2, 1.0)
    assert (resumed.seconds, resumed.cpu_seconds) == (4.0, 8.0)
    result = resumed.result(4, num_parameters=7)
    assert (result.seconds, result.cpu_seconds) == (4.0, 8.0)
    assert (result.tokens, result.tokens_per_second, result.train_loss) == (200, 50.0, 2.0)
    assert result.validation.loss == 2.0


def test_final_loss_is_that_of_the_last_steps(clock):
    meter = make()
    for step in range(250):
        meter.note_loss(float(step))
    with meter.timed_step():
        clock.now += 1
    meter.record_validation(250, EVALUATION)
    assert meter.result(250, num_parameters=1).train_loss == sum(range(150, 250)) / 100
