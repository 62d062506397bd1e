"""Show a training run: on a terminal a progress bar with ETA, elsewhere a line every ten seconds."""

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from homespun.cli.progress import new_bar
from homespun.training.events import CheckpointSaved, Event, RunFinished, Sampled, StepLogged, StepTaken, Validated

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 10.0


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
        self._bar: tuple[Progress, TaskID] | None = None
        self._last_line = float("-inf")

    def __enter__(self) -> "TrainingConsole":
        if sys.stderr.isatty():
            # Imported here: a run without a terminal need not load the progress bar.
            from rich.progress import MofNCompleteColumn, TextColumn

            progress = new_bar(MofNCompleteColumn(), TextColumn("{task.fields[status]}"))
            task = progress.add_task("training", total=self._num_steps, completed=self._steps_done, status="")
            self.enter_context(progress)
            self._bar = (progress, task)
        return self

    def __call__(self, event: Event) -> None:
        match event:
            case StepTaken(step=step, loss=loss, tokens_per_second=rate):
                if self._bar is not None:
                    progress, task = self._bar
                    progress.update(task, completed=step, status=f"loss {loss:.3f}, {rate:,.0f} tokens/s")
                if step == self._num_steps:
                    self.print_line(f"step {step:,}: scoring the whole validation set")
            case StepLogged(record=record):
                # On a terminal the bar shows it.
                if self._bar is None and time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
                    self._last_line = time.monotonic()
                    self.print_line(
                        f"step {record.step:,} of {self._num_steps:,}: loss {record.loss:.4f}, lr {record.lr:.2e}, "
                        f"gradient norm {record.grad_norm:.2f}, {record.tokens_per_second:,.0f} tokens/s, "
                        f"MFU {record.mfu:.1%}, {self._remaining(record.step, record.seconds)}"
                    )
            case Validated(record=record):
                scored = "whole set" if record.whole else f"first {record.num_tokens:,} tokens"
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
        """Print one line, above the bar where there is one."""
        if self._bar is not None:
            self._bar[0].console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def tell_stopping(self) -> None:
        """Confirm the first Ctrl-C."""
        # Straight to the descriptor: a signal may come in the middle of a print, which must not be entered twice.
        os.write(2, b"\nstopping after this step, with a checkpoint; Ctrl-C again stops at once and saves nothing\n")

    def _remaining(self, step: int, seconds: float) -> str:
        minutes = seconds / step * (self._num_steps - step) / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
