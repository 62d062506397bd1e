"""Show a sweep: on a terminal a bar with the time left, elsewhere a line for every run that ends."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from homespun.cli.progress import progress_bar
from homespun.experiments.runs import PlannedRun
from homespun.experiments.sweep import SweepInProgress

_SECONDS_BETWEEN_LOOKS = 2.0


class SweepDisplay(ExitStack):
    """Watches the directory of a sweep that other processes work on; use it in a `with` block."""

    def __init__(self, sweep: SweepInProgress) -> None:
        super().__init__()
        self._sweep = sweep
        self._last_look = float("-inf")
        self._reported: set[str] = set()
        self._began = time.monotonic()

    def __enter__(self) -> "SweepDisplay":
        self._advance: Callable[[int, int], None] = self.enter_context(progress_bar(self._sweep.plan.name, "steps"))
        runs = self._unique_runs()
        self._reported = {run.key for run in runs if self._sweep.is_done(run)}
        self._steps_before = sum(self._steps_done(run) for run in runs)
        print(f"{len(runs)} runs, {len(self._reported)} of them done", file=sys.stderr)
        return self

    def update(self) -> None:
        """Look at the directory, at most every other second."""
        if time.monotonic() - self._last_look < _SECONDS_BETWEEN_LOOKS:
            return
        self._last_look = time.monotonic()
        runs = self._unique_runs()
        done, total = sum(map(self._steps_done, runs)), sum(run.config.training.num_steps for run in runs)
        self._advance(done, total)
        for run in runs:
            if run.key not in self._reported and self._sweep.is_done(run):
                self._reported.add(run.key)
                self._print_line(self._describe(run, len(runs), done, total))

    def tell_stopping(self) -> None:
        """Confirm the first Ctrl-C."""
        os.write(2, b"\nstopping after the current steps, with checkpoints; Ctrl-C again stops at once\n")

    def _describe(self, run: PlannedRun, num_runs: int, done: int, total: int) -> str:
        sweep, found = self._sweep, self._sweep.describe(run)
        value = found.measures.get(sweep.plan.measure)
        shown = "diverged" if value is None else f"{value:.4f} {sweep.plan.measure}"
        ended = [sweep.describe(other) for other in self._unique_runs() if sweep.is_done(other)]
        finished = [other for other in ended if sweep.plan.measure in other.measures]
        best = min(finished, key=lambda other: other.measures[sweep.plan.measure], default=None)
        best_so_far = f"; best so far {best.measures[sweep.plan.measure]:.4f}, {best.variant}" if best else ""
        minutes = (time.monotonic() - self._began) / 60
        left = minutes / max(1, done - self._steps_before) * (total - done)
        return (
            f"[{len(self._reported)} of {num_runs}] {run.variant}, seed {run.seed}: {shown}, "
            f"{found.seconds / 60:.1f} min{best_so_far}; about {left:.0f} min left"
        )

    def _print_line(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def _unique_runs(self) -> list[PlannedRun]:
        return [*{run.key: run for run in self._sweep.list_runs()}.values()]

    def _steps_done(self, run: PlannedRun) -> int:
        if self._sweep.is_done(run):
            return run.config.training.num_steps
        return self._sweep.run_directory(run).last_step()
