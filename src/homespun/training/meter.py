"""Counts tokens and seconds while a run trains, and turns them into the records of metrics.jsonl."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite

from homespun.evaluation.evaluate import Evaluation
from homespun.records import RunResult, TrainRecord, ValidationRecord
from homespun.training.engine import StepOutcome

_SMOOTHED_STEPS = 100
"""Steps over which the final training loss is averaged: one batch's loss is noise."""


@dataclass(frozen=True, kw_only=True)
class MeterState:
    """The state of a `Meter` in a checkpoint."""

    seconds: float
    training_seconds: float
    losses: list[float]
    """Of the last steps, for the final average."""
    validation: ValidationRecord | None
    cpu_seconds: float = 0.0
    """0 in checkpoints of older versions."""

    def check(self) -> None:
        """Refuse impossible times and losses.

        Raises:
            ValueError: one is impossible.
        """
        times = (self.seconds, self.training_seconds, self.cpu_seconds)
        if not all(isfinite(value) for value in (*times, *self.losses)):
            raise ValueError("meter.seconds, .training_seconds, .cpu_seconds or one of meter.losses is not finite")
        if min(times) < 0:
            raise ValueError("meter.seconds, .training_seconds or .cpu_seconds is negative")


class Meter:
    """The clock and the counters of one run; saved in its checkpoints, so that a resumed run continues them.

    Args:
        tokens_per_step: Tokens trained on in one optimizer step.
        flops_per_token: Of forward and backward matrix multiplies, by exact count.
        peak_flops: What the machine can do in a second, from the machine table or measured.
    """

    def __init__(self, *, tokens_per_step: int, flops_per_token: float, peak_flops: float) -> None:
        self._tokens_per_step = tokens_per_step
        self._flops_per_token = flops_per_token
        self._peak_flops = peak_flops
        self._earlier_seconds = 0.0
        self._earlier_cpu_seconds = 0.0
        self._training_seconds = 0.0
        self._window_seconds = 0.0
        self._window_steps = 0
        self._losses: deque[float] = deque(maxlen=_SMOOTHED_STEPS)
        self._validation: ValidationRecord | None = None
        self._start_clocks()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the training loop, those before a resume included."""
        return self._earlier_seconds + time.perf_counter() - self._began

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds of this process in the same time, over all its threads, those before a resume included."""
        return self._earlier_cpu_seconds + time.process_time() - self._cpu_began

    @property
    def tokens_per_second(self) -> float:
        """Over the steps since the last record; validations, samples and checkpoints are not counted."""
        return self._window_steps * self._tokens_per_step / self._window_seconds if self._window_seconds else 0.0

    @contextmanager
    def timed_step(self) -> Iterator[None]:
        """Times one optimizer step."""
        began = time.perf_counter()
        yield
        self._window_seconds += time.perf_counter() - began
        self._window_steps += 1

    def note_loss(self, loss: float) -> None:
        """Remember a step's loss for the final average."""
        self._losses.append(loss)

    def record_step(self, step: int, outcome: StepOutcome, memory_bytes: int) -> TrainRecord:
        """The record of `step`, the last one timed; begins the next window."""
        rate = self.tokens_per_second
        self._training_seconds += self._window_seconds
        self._window_seconds, self._window_steps = 0.0, 0
        return TrainRecord(
            step=step,
            tokens=step * self._tokens_per_step,
            loss=outcome.loss,
            lr=outcome.lr,
            grad_norm=outcome.grad_norm,
            tokens_per_second=rate,
            mfu=rate * self._flops_per_token / self._peak_flops,
            seconds=self.seconds,
            grad_norms=outcome.grad_norms,
            memory_bytes=memory_bytes,
        )

    def record_validation(self, step: int, evaluation: Evaluation) -> ValidationRecord:
        """The record of a validation after `step`."""
        self._validation = ValidationRecord(
            step=step,
            tokens=step * self._tokens_per_step,
            loss=evaluation.loss,
            perplexity=evaluation.perplexity,
            bits_per_byte=evaluation.bits_per_byte,
            num_tokens=evaluation.num_tokens,
            num_bytes=evaluation.num_bytes,
            whole=evaluation.whole,
            seconds=self.seconds,
        )
        return self._validation

    def result(self, steps: int, num_parameters: int) -> RunResult:
        """How a run of so many steps ended, once its last validation has been recorded."""
        assert self._validation is not None, "a run is validated after its last step"
        tokens = steps * self._tokens_per_step
        training_seconds = self._training_seconds + self._window_seconds
        return RunResult(
            steps=steps,
            tokens=tokens,
            train_loss=sum(self._losses) / len(self._losses),
            validation=self._validation,
            seconds=self.seconds,
            tokens_per_second=tokens / training_seconds,
            num_parameters=num_parameters,
            cpu_seconds=self.cpu_seconds,
        )

    def state(self) -> MeterState:
        """Return what a resumed run needs to continue counting."""
        return MeterState(
            seconds=self.seconds,
            training_seconds=self._training_seconds + self._window_seconds,
            losses=list(self._losses),
            validation=self._validation,
            cpu_seconds=self.cpu_seconds,
        )

    def restore(self, state: MeterState) -> None:
        """Continue counting from where `state` was taken."""
        self._earlier_seconds = state.seconds
        self._training_seconds = state.training_seconds
        self._losses = deque(state.losses, maxlen=_SMOOTHED_STEPS)
        self._validation = state.validation
        self._earlier_cpu_seconds = state.cpu_seconds
        self._start_clocks()

    def _start_clocks(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), time.process_time()
