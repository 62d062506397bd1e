"""Check on this machine that the first steps of a recipe give the same bits, however they are computed or interrupted.

Each variant of the run is trained in processes of its own and compared with one that nothing interrupted.
"""

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from homespun.data.sampler import WindowSampler
from homespun.errors import ConfigError, RunError
from homespun.files import storage_errors
from homespun.model.ops import EXACT_OPERATIONS, OPERATIONS, choose_backend
from homespun.progress import ProgressCallback, ignore_progress
from homespun.recipe.config import RunConfig
from homespun.recipe.data import open_data
from homespun.records import RunDirectory, step_of
from homespun.runs.device import autocast, check_memory, resolve
from homespun.seeding import derive_seed
from homespun.training.compare_runs import Difference, find_difference, with_first_tensor
from homespun.training.session import Kill, RunFiles, run_session

MIN_STEPS = 4
"""A run that is stopped three times has four sessions of at least one step."""
_NEVER = 2**31
_MAX_SINGLE = 16
"""Batches up to this size are also computed one sequence at a time; larger ones would take too long."""
_NUM_KILLS = 2
_ATTEMPTS = 5
_SAMPLED_TOKENS = 8
_VALIDATED_WINDOWS = 4
_THREADS = (1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class PlannedSession:
    """One process of a variant."""

    stop: int
    """Steps after which it saves a checkpoint and ends."""

    config: RunConfig
    is_killed: bool = False
    """Whether it is killed at a random moment instead."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Another way to compute the same steps."""

    name: str
    sessions: tuple[PlannedSession, ...]
    is_promised: bool
    """Whether homespun promises the same bits for it."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a variant compares with the uninterrupted run."""

    variant: Variant
    difference: Difference | None
    kills: tuple[Kill, ...] = ()

    @property
    def breaks_promise(self) -> bool:
        """Whether bits differ that should not."""
        return self.difference is not None and self.variant.is_promised

    def __str__(self) -> str:
        moments = ", ".join(f"{kill.delay_seconds:.2f} s after step {kill.step:,}" for kill in self.kills)
        name = f"{self.variant.name}, {moments}" if moments else self.variant.name
        if self.difference is None:
            return f"same bits: {name}"
        verdict = "other bits" if self.variant.is_promised else "other bits (the same are not promised)"
        return f"{verdict}: {name}: {self.difference}"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What homespun promises of a run's bits on a device."""

    resume: bool
    """Whether they are the same however the run is interrupted."""

    execution: bool
    """Whether they are the same for any micro-batch and number of threads."""

    text: str


def promise_of(config: RunConfig) -> Promise:
    """Return what is promised of the bits of a resolved run."""
    device = config.execution.device
    if device != "cpu":
        text = f"no bits on {device}, whose kernels may add in another order at each call; the same up to rounding"
        return Promise(resume=False, execution=False, text=text)
    resumed = "the same bits whatever interrupts the run"
    exception = _exception_of(config)
    if exception is None:
        text = f"{resumed}, for any micro-batch and number of threads"
        return Promise(resume=True, execution=True, text=text)
    text = f"{resumed}; for another micro-batch or number of threads the same up to rounding, because {exception}"
    return Promise(resume=True, execution=False, text=text)


def _exception_of(config: RunConfig) -> str | None:
    """Return why micro-batches and threads may change bits on a CPU; None: they do not."""
    execution = config.execution
    if execution.compile:
        return "execution.compile is set, and the compiler's kernels add in an order of their own"
    with autocast(execution.device, execution.precision):
        summing = (operation for operation in OPERATIONS if operation not in EXACT_OPERATIONS)
        options = {"linear_cross_entropy": ["softcap"] if config.model.logit_softcap is not None else []}
        backends = {name: choose_backend(name, torch.zeros(1), options.get(name, ())).name for name in summing}
    others = [operation for operation, backend in backends.items() if backend != "native"]
    if others:
        return f"in {execution.precision} {others[0]} is not computed by homespun's own kernels here"
    if execution.precision == "bfloat16" and config.model.context_length % 2:
        return "products in bfloat16 add pairs of tokens, and model.context_length is odd"
    return None


class ResumeCheck:
    """The uninterrupted run of a recipe's first steps, and the variants to compare with it.

    `train_expected` comes first, then `check` with each of `variants`. The recipe keeps its length, and so its
    schedule: it is only stopped early.
    """

    def __init__(self, config: RunConfig, num_steps: int, folder: Path) -> None:
        """Check the first `num_steps` of `config`, in run directories below `folder`.

        Raises:
            ConfigError: too few steps, or no fewer than the recipe has; or the device asked for is not there.
            MissingFileError: tokenizer or token data sets are not there yet.
            DataError: they do not belong together.
        """
        length = config.training.num_steps
        if not MIN_STEPS <= num_steps < length:
            raise ConfigError(
                f"--steps {num_steps}: expected at least {MIN_STEPS}, to stop three times in between, and fewer than "
                f"training.num_steps = {length}, since the last step of a run scores the whole validation set"
            )
        config, device, precision = resolve(config)
        check_memory(config)
        data = open_data(config)
        sampler = WindowSampler(data.train, config.model.context_length, derive_seed(config.seed, "data"))
        self.num_steps = num_steps
        self._config = _logging(config, log_every=1)
        self._promise = promise_of(config)
        self._epoch_steps = sampler.num_windows(0) // config.training.batch_size
        self._folder = folder
        self._opened, self._expected = RunFiles(root=folder / "opened"), RunFiles(root=folder / "expected")
        self._step_seconds = 0.0
        self.variants = (*self._interruptions(), *self._executions())
        self.explanation = [f"device {device}", f"precision {precision}", f"promised: {self._promise.text}"]
        if not self._reaches_epoch_end:
            self.explanation.append(
                f"not checked: the end of an epoch, which comes in step {self._epoch_steps + 1:,} and needs "
                f"--steps {self._epoch_steps + 2}"
            )

    def train_expected(self, progress: ProgressCallback = ignore_progress) -> None:
        """Train without interruption, to compare with.

        Raises:
            HomespunError: the run cannot be opened or trained.
        """
        # Opened once, and copied for each run: the machine's peak need not be measured every time.
        run_session(self._config, self._opened, 0, on_step=lambda step: None)
        times: list[float] = []

        def note(done: int, total: int) -> None:
            times.append(time.monotonic())
            progress(done, total)

        self._train((PlannedSession(stop=self.num_steps, config=self._config),), self._expected, self.num_steps, note)
        self._step_seconds = (times[-1] - times[-self.num_steps]) / (self.num_steps - 1)

    def check(
        self, variant: Variant, progress: ProgressCallback = ignore_progress, rng: random.Random | None = None
    ) -> Outcome:
        """Train a variant, compare it, and remove its files.

        Args:
            variant: One of `variants`.
            progress: Follows the steps.
            rng: Draws the moments of kills; None: other ones each time.

        Raises:
            HomespunError: the run cannot be opened or trained.
        """
        found = RunFiles(root=self._folder / "found")
        kills = self._train(variant.sessions, found, self.num_steps, progress, rng or random.Random())
        difference = find_difference(self._expected, found)
        _remove(found)
        if difference is not None and difference.tensors:
            # Only checkpoints hold values; both runs are repeated up to the first step that differs, to have one there.
            expected = RunFiles(root=self._folder / "expected-there")
            self._train((PlannedSession(stop=difference.step, config=self._config),), expected, difference.step)
            self._train(variant.sessions, found, difference.step)
            difference = with_first_tensor(difference, expected, found)
            _remove(expected)
            _remove(found)
        return Outcome(variant=variant, difference=difference, kills=kills)

    @property
    def _reaches_epoch_end(self) -> bool:
        return self._epoch_steps + 1 < self.num_steps

    def _interruptions(self) -> Iterator[Variant]:
        n, config = self.num_steps, self._config

        def variant(name: str, *sessions: PlannedSession) -> Variant:
            return Variant(name=name, sessions=sessions, is_promised=self._promise.resume)

        def stopped(*stops: int) -> Variant:
            named = ", ".join(map(str, stops))
            sessions = (PlannedSession(stop=stop, config=config) for stop in (*stops, n))
            return variant(f"stopped and resumed after step {named}", *sessions)

        yield variant("uninterrupted once more", PlannedSession(stop=n, config=config))
        yield stopped(n // 2)
        yield stopped(n // 3, 2 * n // 3)
        yield stopped(1, n // 2, n - 1)
        if self._reaches_epoch_end:
            end = self._epoch_steps + 1
            around = stopped(*(stop for stop in (end - 1, end) if stop > 0))
            yield replace(around, name=f"{around.name}, around the end of an epoch in step {end}")
        every = max(1, n // 3)
        sampling = replace(config.logging.sampling, every=every, max_new_tokens=_SAMPLED_TOKENS)
        tokens = min(config.logging.validation_tokens, _VALIDATED_WINDOWS * config.model.context_length)
        looking = _logging(config, validation_every=every, validation_tokens=tokens, sampling=sampling)
        yield variant(
            f"with validations and samples every {every} step{'s' if every > 1 else ''}",
            PlannedSession(stop=n, config=looking),
        )
        saving = _logging(config, checkpoint_every=max(1, n // 6))
        killed = [PlannedSession(stop=n, config=saving, is_killed=True)] * _NUM_KILLS
        yield variant("killed and resumed", *killed, PlannedSession(stop=n, config=saving))

    def _executions(self) -> Iterator[Variant]:
        n, config = self.num_steps, self._config

        def variant(name: str, *sessions: PlannedSession) -> Variant:
            return Variant(name=name, sessions=sessions, is_promised=self._promise.execution)

        sizes = other_micro_batches(config.training.batch_size, config.execution.micro_batch)
        for size in sizes:
            yield variant(
                f"execution.micro_batch {size}", PlannedSession(stop=n, config=_execution(config, micro_batch=size))
            )
        for threads in _THREADS:
            one = PlannedSession(stop=n, config=_execution(config, threads=threads))
            yield variant(f"execution.threads {threads}", one)
        if sizes:
            other = PlannedSession(stop=n, config=_execution(config, micro_batch=sizes[0], threads=1))
            name = f"stopped after step {n // 2} and resumed with execution.micro_batch {sizes[0]} and 1 thread"
            yield variant(name, PlannedSession(stop=n // 2, config=config), other)

    def _train(
        self,
        sessions: tuple[PlannedSession, ...],
        files: RunFiles,
        num_steps: int,
        progress: ProgressCallback = ignore_progress,
        rng: random.Random | None = None,
    ) -> tuple[Kill, ...]:
        """Train the run at `files` in these sessions, but for `num_steps` at most; return when it was killed."""
        for _ in range(_ATTEMPTS):
            _remove(files)
            with storage_errors(files.root):
                shutil.copytree(self._opened.root, files.root)
            kills = tuple(self._run(sessions, files, num_steps, progress, rng or random.Random()))
            if len(kills) == sum(session.is_killed for session in sessions):
                return kills
        raise RunError(
            f"{files.root}: in {_ATTEMPTS} attempts the process ended before the moment to kill it; use more --steps"
        )

    def _run(
        self,
        sessions: tuple[PlannedSession, ...],
        files: RunFiles,
        num_steps: int,
        progress: ProgressCallback,
        rng: random.Random,
    ) -> Iterator[Kill]:
        for session in sessions:
            stop, kill = min(session.stop, num_steps), None
            if session.is_killed:
                checkpoints = RunDirectory(files.root).list_checkpoints()
                first = step_of(checkpoints[-1]) if checkpoints else 0
                # Not after the last step but one: the process would end by itself.
                step = rng.randint(first, max(first, stop - 2))
                kill = Kill(step=step, delay_seconds=rng.uniform(0, self._step_seconds))
            if run_session(
                session.config,
                files,
                stop,
                kill=kill,
                on_step=lambda step: progress(step, num_steps),
            ):
                assert kill is not None
                yield kill


def other_micro_batches(batch_size: int, micro_batch: int) -> list[int]:
    """Return micro-batches to compare with `micro_batch`: the next smaller ones, which need no more memory."""
    divisors = [size for size in range(1, batch_size + 1) if batch_size % size == 0]
    smaller = [size for size in reversed(divisors) if size < micro_batch]
    singles = [1] if batch_size <= _MAX_SINGLE else []
    chosen = smaller[:2] + [size for size in singles if size in smaller[2:]]
    return chosen or [size for size in divisors if size > micro_batch][:1]


def _logging(config: RunConfig, **values: Any) -> RunConfig:
    """Return `config` recording as `values` say, and nothing else that takes time."""
    rare = {
        "log_every": 1,
        "validation_every": _NEVER,
        "checkpoint_every": _NEVER,
        "track": [],
        "sampling": replace(config.logging.sampling, every=_NEVER),
    }
    return replace(config, logging=replace(config.logging, **(rare | values)))


def _execution(config: RunConfig, **values: Any) -> RunConfig:
    return replace(config, execution=replace(config.execution, **values))


def _remove(files: RunFiles) -> None:
    with storage_errors(files.root):
        shutil.rmtree(files.root, ignore_errors=True)
        files.hashes.unlink(missing_ok=True)
