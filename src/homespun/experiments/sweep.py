"""A sweep in its directory: which runs are done, which come next, and training them, by any number of workers.

The directory is the queue. A run is done when it has a result or a record of its divergence; a worker claims a run by
the lock that training holds on its directory anyhow, which ends with the process. So a sweep may be killed anywhere
and started again, also by several workers on a shared disk, and every run is finished exactly once.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from homespun.errors import BusyError, RunError, TrainingError
from homespun.experiments.plan import Plan, Variant
from homespun.experiments.rates import measure_rates
from homespun.experiments.runs import PlannedRun, PlanReader, flops_per_step, share_execution
from homespun.experiments.summary import summarize
from homespun.files import make_directory, write_text_atomically
from homespun.locks import hold_lock
from homespun.recipe.load import read_yaml
from homespun.records import RunDirectory, write_json_record
from homespun.sweeps import RunFailure, Sweep, SweepDirectory, SweepRun, read_failure
from homespun.training.events import Event
from homespun.training.loop import StopAsked, never_stop, train
from homespun.training.recorder import Recorder
from homespun.training.run import open_run
from homespun.typed_json import build_from_json, parse_json

_POLL_SECONDS = 1.0

Listener = Callable[[PlannedRun, Event], None]


def ignore(_run: PlannedRun, _event: Event) -> None:
    """Ignore the events of a run (the default)."""


@dataclass(frozen=True, kw_only=True)
class SweepInProgress:
    """A plan and the directory that it fills; `open_sweep` makes it."""

    plan: Plan
    reader: PlanReader
    directory: SweepDirectory
    runs_root: Path
    """Where the run directories are; sweeps that share it share the runs that train the same."""
    rates: dict[str, float]
    """Processor seconds a step by variant, where a budget needs them."""
    _rounds: dict[tuple[str | float, ...], list[PlannedRun]] = field(default_factory=dict, repr=False)

    def list_runs(self) -> list[PlannedRun]:
        """Return every run that is known now: with successive halving, those of the rounds that have begun."""
        variants = self.plan.expand()
        halving = self.plan.halving
        if halving is None:
            return self._read(variants, 1.0)
        runs: list[PlannedRun] = []
        for fraction in halving.fractions:
            last = self._read(variants, fraction)
            runs += last
            if not all(self.is_done(run) for run in last):
                break
            variants = self._best(variants, last, halving.keep)
        return runs

    def run_directory(self, run: PlannedRun) -> RunDirectory:
        return RunDirectory(self.runs_root / run.key)

    def is_done(self, run: PlannedRun) -> bool:
        """Whether the run has finished or diverged."""
        directory = self.run_directory(run)
        return directory.result.exists() or read_failure(directory) is not None

    def describe(self, run: PlannedRun) -> SweepRun:
        """Return what is known of a run."""
        directory = self.run_directory(run)
        result, failure = directory.read_result(), read_failure(directory)
        steps = result.steps if result else failure.step if failure else 0
        path = os.path.relpath(directory.root, self.directory.root)
        return SweepRun(
            variant=run.variant,
            budget=run.budget,
            seed=run.seed,
            directory=Path(path).as_posix(),
            status="finished" if result else "diverged" if failure else "waiting",
            num_steps=run.config.training.num_steps,
            num_parameters=result.num_parameters if result else 0,
            tokens=steps * run.config.tokens_per_step,
            seconds=result.seconds if result else 0.0,
            cpu_seconds=result.cpu_seconds if result else 0.0,
            flops=steps * flops_per_step(run.config),
            measures={
                "loss": result.validation.loss,
                "bits_per_byte": result.validation.bits_per_byte,
                "train_loss": result.train_loss,
            }
            if result
            else {},
            failure=failure.message if failure else None,
        )

    def summarize(self) -> Sweep:
        """Write what has come of the sweep so far, and return it."""
        sweep = summarize(self.plan, [self.describe(run) for run in self.list_runs()])
        write_json_record(self.directory.sweep, sweep)
        return sweep

    def work(
        self, *, threads: int | None = None, stop_asked: StopAsked = never_stop, listener: Listener = ignore
    ) -> bool:
        """Train the runs that are left, together with other workers; return whether all are done.

        Runs that others have claimed are waited for: their workers may die.

        Args:
            threads: CPU threads of each run; None: as its recipe says.
            stop_asked: Checked after every step; a run is saved before the worker stops.
            listener: Called with the events of each run.
        """
        while pending := [run for run in self.list_runs() if not self.is_done(run)]:
            trained = [self.train(run, threads, stop_asked, listener) for run in _unique(pending) if not stop_asked()]
            if stop_asked():
                return False
            if not any(trained):
                time.sleep(_POLL_SECONDS)
        self.summarize()
        return True

    def train(self, run: PlannedRun, threads: int | None, stop_asked: StopAsked, listener: Listener) -> bool:
        """Train one run to its end; return whether it was this call that ended it.

        False if it is done already, another worker has it, or training was stopped.
        """
        directory = self.run_directory(run)
        if self.is_done(run):
            return False
        config = run.config if threads is None else share_execution(run.config, threads=threads)
        try:
            with open_run(config, directory.root) as training, Recorder(directory) as record:

                def listen(event: Event) -> None:
                    record(event)
                    listener(run, event)

                ended = False
                try:
                    ended = train(training, listen, stop_asked) is not None
                except TrainingError as error:
                    # While the directory is locked: no other worker may begin it between the error and its record.
                    failure = RunFailure(step=training.steps_done, message=str(error))
                    write_json_record(RunFailure.path_in(directory), failure)
                    ended = True
        except BusyError:
            return False
        except RunError:
            # Another worker may have finished it since the check above; everything else is an error.
            if directory.result.exists():
                return False
            raise
        if ended:
            self.summarize()
        return ended

    def _read(self, variants: Sequence[Variant], fraction: float) -> list[PlannedRun]:
        """Return the runs of one round; read once, as a display asks every other second and recipes take a while."""
        key = (*(variant.name for variant in variants), fraction)
        if key not in self._rounds:
            self._rounds[key] = self.reader.list_runs(variants, self.rates, fraction=fraction)
        return self._rounds[key]

    def _best(self, variants: Sequence[Variant], runs: Sequence[PlannedRun], keep: float) -> list[Variant]:
        """Return the better part of the variants by the mean over the seeds that all have, and the baseline."""
        shared = set.intersection(*(set(variant.seeds) for variant in variants))
        described = [self.describe(run) for run in runs if run.seed in shared]

        def mean(variant: Variant) -> float:
            mine = [run for run in described if run.variant == variant.name]
            values = [run.measures.get(self.plan.measure, float("inf")) for run in mine]
            return sum(values) / len(values)

        ranked = sorted(variants, key=mean)
        num_kept = max(1, round(keep * len(variants)))
        kept = {variant.name for variant in ranked[:num_kept]} | {self.plan.baseline}
        return [variant for variant in variants if variant.name in kept]


def open_sweep(
    plan: Plan, folder: Path, root: Path, *, flags: Sequence[str] = (), runs_root: Path | None = None
) -> SweepInProgress:
    """Begin the sweep of `plan` at `root`, or continue it.

    Args:
        plan: What to run.
        folder: Of the plan's file.
        root: The sweep directory.
        flags: Overrides of the base recipe.
        runs_root: Where the run directories are; None: in the sweep directory.

    Raises:
        RunError: the directory holds the sweep of another plan.
        ConfigError: a run of the plan cannot work.
        StorageError: the directory cannot be written to.
    """
    reader = PlanReader(plan=plan, folder=folder, flags=flags)
    directory = SweepDirectory(root)
    make_directory(root)
    with _wait_for_lock(root / "beginning"):
        _claim(directory, plan, flags)
        rates = _find_rates(directory, reader)
    sweep = SweepInProgress(
        plan=plan, reader=reader, directory=directory, runs_root=runs_root or root / "runs", rates=rates
    )
    sweep.list_runs()  # all recipes are read, so that a mistake in the last variant shows before the first run
    return sweep


@contextmanager
def _wait_for_lock(directory: Path) -> Iterator[None]:
    while True:
        with ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(directory))
            except BusyError:
                time.sleep(_POLL_SECONDS)  # another worker begins the same sweep
                continue
            yield
            return


def _find_rates(directory: SweepDirectory, reader: PlanReader) -> dict[str, float]:
    """Return the processor seconds a step of each variant, measured once a sweep; nothing where no budget is a time."""
    if not reader.needs_rates():
        return {}
    if not directory.rates.exists():
        write_text_atomically(directory.rates, json.dumps(measure_rates(reader), indent=2) + "\n")
    try:
        return build_from_json(dict[str, float], parse_json(directory.rates.read_bytes()))
    except ValueError as error:
        raise RunError(f"{directory.rates}: {error}; restore the file") from error


def _claim(directory: SweepDirectory, plan: Plan, flags: Sequence[str]) -> None:
    text = yaml.safe_dump(asdict(plan) | {"flags": list(flags)}, sort_keys=False, allow_unicode=True, width=120)
    if not directory.plan.exists():
        write_text_atomically(directory.plan, text)
        return
    recorded = read_yaml(directory.plan, "a plan")
    recorded_flags = recorded.pop("flags", None)
    try:
        # Read as a plan, so that keys which a later version added have their defaults.
        before: Plan = build_from_json(Plan, recorded, allow_defaults=True)
    except ValueError as error:
        raise RunError(f"{directory.plan}: {error}; restore the file or choose another --out") from error
    differing = [each.name for each in fields(Plan) if getattr(before, each.name) != getattr(plan, each.name)]
    differing += ["flags"] if recorded_flags != list(flags) else []
    if differing:
        raise RunError(
            f"{directory.root}: holds the sweep of another plan, which differs in {', '.join(differing)}; a plan is "
            "fixed before its first run: choose another --out for this one"
        )


def _unique(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Leave out runs that train what an earlier one trains."""
    return [*{run.key: run for run in reversed(runs)}.values()][::-1]
