"""Show a training run: on a terminal a live display, elsewhere a line every ten seconds."""

import os
import sys
import time
from collections import deque
from contextlib import ExitStack

from homespun.cli.live import LiveDisplay
from homespun.records import TrainRecord
from homespun.training.events import CheckpointSaved, Event, RunFinished, Sampled, StepLogged, StepTaken, Validated

_SECONDS_BETWEEN_LINES = 10.0
_SMOOTHED_STEPS = 50
"""Steps over which the displayed loss is averaged: one batch's loss is noise."""


class TrainingConsole(ExitStack):
    """A listener that shows a run on standard error; use it in a `with` block.

    Args:
        num_steps: Steps of the whole run.
        steps_done: Those already done, for a run that resumes.
    """

    def __init__(self, num_steps: int, steps_done: int = 0) -> None:
        super().__init__()
        self._num_steps = num_steps
        self._steps_done = steps_done
        self._live: LiveDisplay | None = None
        self._losses: deque[float] = deque(maxlen=_SMOOTHED_STEPS)
        self._last_line = float("-inf")

    def __enter__(self) -> "TrainingConsole":
        if sys.stderr.isatty():
            self._live = self.enter_context(LiveDisplay(self._num_steps, self._steps_done))
        return self

    def __call__(self, event: Event) -> None:
        match event:
            case StepTaken(step=step, loss=loss, tokens_per_second=rate):
                self._losses.append(loss)
                if self._live is not None:
                    smoothed = sum(self._losses) / len(self._losses)
                    self._live.show_step(step, loss=f"{smoothed:.4f} (last {loss:.4f})", speed=f"{rate:,.0f} tokens/s")
                if step == self._num_steps:
                    self.print_line(f"step {step:,}: scoring the whole validation set")
            case StepLogged(record=record):
                if self._live is not None:
                    self._live.show(lr=f"{record.lr:.2e}", MFU=f"{record.mfu:.1%}", memory=_memory(record))
                elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
                    self._last_line = time.monotonic()
                    self.print_line(
                        f"step {record.step:,} of {self._num_steps:,}: loss {record.loss:.4f}, lr {record.lr:.2e}, "
                        f"gradient norm {record.grad_norm:.2f}, {record.tokens_per_second:,.0f} tokens/s, "
                        f"MFU {record.mfu:.1%}, memory {_memory(record)}, "
                        f"{self._remaining(record.step, record.seconds)}"
                    )
            case Validated(record=record):
                scored = "whole set" if record.whole else f"first {record.num_tokens:,} tokens"
                if self._live is not None:
                    self._live.show(validation=f"{record.loss:.4f} at step {record.step:,}")
                self.print_line(
                    f"step {record.step:,}: validation loss {record.loss:.4f}, perplexity {record.perplexity:.2f}, "
                    f"{record.bits_per_byte:.4f} bits per byte ({scored})"
                )
            case Sampled(step=step, texts=texts):
                self.print_line(f"step {step:,}: sample: {' '.join(texts[0].split())[:300]}")
            case CheckpointSaved(step=step, path=path):
                self.print_line(f"step {step:,}: saved {path}")
            case RunFinished(result=result):
                self.print_line(
                    f"finished: {result.tokens:,} tokens in {result.seconds / 60:.1f} minutes, "
                    f"{result.tokens_per_second:,.0f} tokens/s"
                )

    def print_line(self, line: str) -> None:
        """Print one line, above the live display where there is one."""
        if self._live is not None:
            self._live.print_line(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def tell_stopping(self) -> None:
        """Confirm the first Ctrl-C."""
        message = "stopping after this step, with a checkpoint; Ctrl-C again stops at once and saves nothing"
        if self._live is not None:
            # Drawn by the display's own thread: a signal may come in the middle of a print, which must not be entered
            # twice.
            self._live.note = message
        else:
            os.write(2, f"\n{message}\n".encode())

    def _remaining(self, step: int, seconds: float) -> str:
        minutes = seconds / step * (self._num_steps - step) / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"


def _memory(record: TrainRecord) -> str:
    return f"{record.memory_bytes / 1e9:.2f} GB" if record.memory_bytes else "unknown"
