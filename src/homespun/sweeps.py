"""The files of a sweep directory: the interface between experiments, which write them, and reporting, which reads them.

A sweep directory may come from somebody else: whatever is read from one is checked.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from homespun.errors import MissingFileError, RunError
from homespun.records import RunDirectory, check_regular, read_json_record
from homespun.typed_json import read_json

SWEEP_VERSION = 1

Budget = Literal["tokens", "time", "flops", "steps"]
"""What the runs that are compared have spent equally."""

Status = Literal["waiting", "finished", "diverged"]
Verdict = Literal["better", "worse", "no visible difference", "too few runs"]


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """One run of a sweep: one variant under one budget with one seed."""

    variant: str
    budget: Budget
    seed: int
    directory: str
    """Its run directory, relative to the sweep directory."""
    status: Status
    """A run has diverged if its loss or gradient was not finite, so that training stopped."""
    num_steps: int
    """Optimizer steps that it was given."""
    num_parameters: int = 0
    tokens: int = 0
    """Tokens trained on."""
    seconds: float = 0.0
    """Wall-clock seconds of the training loop."""
    cpu_seconds: float = 0.0
    """Processor seconds of the training loop, over all its threads: what load by other processes changes little."""
    flops: float = 0.0
    """FLOPs of its steps: forward and backward matrix multiplies and updates, by exact count."""
    measures: dict[str, float] = field(default_factory=dict)
    """By name, such as "loss" and "bits_per_byte", of the final whole-set validation; empty unless finished."""
    failure: str | None = None
    """Why it diverged."""


@dataclass(frozen=True, kw_only=True)
class SweepVariant:
    """What one group of runs has in common."""

    name: str
    base: str
    """The recipe that it changes, relative to the plan's file."""
    overrides: dict[str, Any]
    """Keys of the recipe with the values that differ from the base recipe's."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A variant against the baseline, paired by seed."""

    variant: str
    budget: Budget
    num_pairs: int
    num_diverged: int
    """Runs of the variant that diverged, and are in no pair."""
    mean: float | None
    """Mean of the variant's runs; null where none finished."""
    difference: float | None
    """Mean of the paired differences, variant minus baseline; null without pairs."""
    low: float | None
    """95 % t-interval of that difference; null with fewer than two pairs."""
    high: float | None
    smallest_visible: float | None
    """The smallest true difference that so many pairs of this spread show in four of five experiments."""
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A plan with what has come of it so far; `sweep.json`."""

    version: int
    name: str
    question: str
    """What the experiment is to answer."""
    measure: str
    """Name of the measure that decides, fixed before the first run."""
    lower_is_better: bool
    rule: str
    """How many runs are taken, and when to stop; fixed before the first run."""
    baseline: str
    """Name of the variant that the others are compared with."""
    seeds: list[int]
    """The baseline's; other variants have the first of them."""
    noise_floor: float | None
    """Standard deviation of the measure over the baseline's seeds; null with fewer than two."""
    variants: list[SweepVariant]
    runs: list[SweepRun]
    comparisons: list[Comparison]
    conclusions: list[str]
    """Sentences computed from the figures."""
    known: list[str] = field(default_factory=list)
    """What others have found."""
    caveat: str = ""
    """What this scale does not show."""


@dataclass(frozen=True, kw_only=True)
class RunFailure:
    """Why a run of a sweep stopped before its end; in its run directory, where a result would be."""

    step: int
    """Optimizer steps done."""
    message: str

    @staticmethod
    def path_in(directory: RunDirectory) -> Path:
        return directory.root / "diverged.json"


def read_failure(directory: RunDirectory) -> RunFailure | None:
    """Return why a run diverged, or None where it has not.

    Raises:
        RunError: the file is damaged.
    """
    path = RunFailure.path_in(directory)
    return read_json_record(path, RunFailure) if path.exists() else None


@dataclass(frozen=True)
class SweepDirectory:
    """Names the files of the sweep at `root`; opens none until asked."""

    root: Path

    @property
    def plan(self) -> Path:
        """The plan, as the sweep was begun with."""
        return self.root / "plan.yaml"

    @property
    def sweep(self) -> Path:
        """A `Sweep`; rewritten after every run."""
        return self.root / "sweep.json"

    @property
    def rates(self) -> Path:
        """Processor seconds a step by variant, measured once, where a budget is a time."""
        return self.root / "rates.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def is_sweep(self) -> bool:
        """Whether the directory holds a sweep."""
        return self.sweep.exists()

    def read(self) -> Sweep:
        """Read the sweep.

        Raises:
            MissingFileError: there is none.
            RunError: the file is damaged, or of another version.
        """
        if not self.sweep.exists():
            raise MissingFileError(f"{self.root}: not a sweep directory (it has no {self.sweep.name})")
        check_regular(self.sweep)
        try:
            return read_json(self.sweep, Sweep, version=SWEEP_VERSION)
        except ValueError as error:
            raise RunError(f"{error}; delete it and run `homespun sweep` with the same plan again") from error

    def run_at(self, run: SweepRun) -> Path:
        """The directory of one of its runs.

        Raises:
            RunError: it is named by an absolute path.
        """
        path = Path(run.directory)
        if path.is_absolute():
            raise RunError(f"{self.sweep}: run directory {run.directory!r}: expected a path relative to the sweep's")
        return self.root / path
