"""A step that failed, kept with its state and its batch, and run again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from homespun.checkpoint.checkpoint import Checkpoint, CheckpointContent
from homespun.errors import ConfigError, MissingFileError, RunError, TrainingError
from homespun.files import check_is_file, make_directory, write_atomically
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory, write_json_record
from homespun.runs.device import check_memory, compute_threads, resolve
from homespun.training.engine import Engine, StepOutcome
from homespun.training.trace import StepTrace
from homespun.typed_json import build_from_json, parse_json


@dataclass(frozen=True, kw_only=True)
class Failure:
    """`failure/failure.json`: the step that could not be taken; written after the files that it goes with."""

    step: int
    """Optimizer steps done before it."""
    message: str


@dataclass(frozen=True, kw_only=True)
class FailureFiles:
    """The files of a failed step in its run's directory."""

    root: Path

    @classmethod
    def of(cls, directory: RunDirectory) -> "FailureFiles":
        return cls(root=directory.failure)

    @property
    def record(self) -> Path:
        return self.root / "failure.json"

    @property
    def state(self) -> Path:
        """A checkpoint of the moment before the step; no update was made."""
        return self.root / "state.safetensors"

    @property
    def batch(self) -> Path:
        """NumPy, int64: inputs and targets, (2, B, T)."""
        return self.root / "batch.npy"


def keep_failure(
    directory: RunDirectory,
    failure: Failure,
    engine: Engine,
    inputs: Int[np.ndarray, "B T"],
    targets: Int[np.ndarray, "B T"],
) -> None:
    """Keep what `replay` needs to run a failed step again; the last failure of a run replaces an earlier one.

    Raises:
        StorageError: the disk refuses.
    """
    files = FailureFiles.of(directory)
    make_directory(files.root)
    files.record.unlink(missing_ok=True)
    CheckpointContent.of(engine.model, engine.optimizer, failure.step, {}).write(files.state)
    with write_atomically(files.batch) as file:
        np.save(file, np.stack([inputs, targets]).astype(np.int64))
    write_json_record(files.record, failure)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A failed step, run once more."""

    failure: Failure
    computed_on: str
    """Device and precision."""
    outcome: StepOutcome | None
    """How the step ended this time; None: it failed."""
    message: str | None
    """Why it failed this time."""
    trace: StepTrace
    """What passed through the modules."""


def replay(root: Path, overrides: Sequence[str] = ()) -> Replay:
    """Run the failed step of the run at `root` again; the run directory stays as it is.

    Args:
        root: A run directory.
        overrides: Flags such as "--execution.precision=float32"; what is trained cannot change.

    Raises:
        MissingFileError: there is no run, or none of its steps has failed.
        ConfigError: a flag names another section than execution, or asks for what is not there.
        RunError: what was kept is damaged.
        CheckpointError: its state is.
    """
    directory = RunDirectory(root)
    directory.check_exists()
    for flag in overrides:
        if flag.startswith("--") and not flag.startswith("--execution."):
            raise ConfigError(f"{flag}: a replay computes the same step; only keys of execution can change")
    config, device, precision = resolve(load_recipe(directory.recipe, overrides))
    check_memory(config)
    failure, (inputs, targets) = _read(FailureFiles.of(directory))
    execution = config.execution
    with compute_threads(execution.device, execution.precision, execution.threads, compiles=execution.compile):
        engine = Engine.build(config)
        Checkpoint.open(FailureFiles.of(directory).state).load_into(engine.model, engine.optimizer)
        trace = engine.trace(inputs, targets)
        outcome, message = None, None
        try:
            outcome = engine.step(failure.step, inputs, targets)
        except TrainingError as error:
            message = str(error)
    return Replay(
        failure=failure,
        computed_on=f"{device.value}, {precision.value}",
        outcome=outcome,
        message=message,
        trace=trace,
    )


def _read(files: FailureFiles) -> tuple[Failure, Int[np.ndarray, "2 B T"]]:
    if not files.record.exists():
        raise MissingFileError(
            f"{files.record}: no such file; a step of this run whose loss or gradient is not finite is kept there"
        )
    check_is_file(files.batch, "a failed step's batch", "train the run again until the step fails")
    try:
        failure: Failure = build_from_json(Failure, parse_json(files.record.read_bytes()))
        batch = np.load(files.batch, allow_pickle=False)
        if batch.ndim != 3 or batch.shape[0] != 2 or batch.dtype != np.int64:
            raise ValueError(f"{files.batch.name} holds {batch.dtype} of shape {batch.shape}")
    except (ValueError, OSError, EOFError) as error:
        raise RunError(f"{files.root}: damaged: {error}; train the run again until the step fails") from error
    return failure, batch


def describe(replayed: Replay) -> str:
    """Return a replay as text: what happened, and the modules with their largest numbers."""
    lines = [f"then      {replayed.failure.message}", f"now       on {replayed.computed_on}: "]
    if replayed.outcome is not None:
        outcome = replayed.outcome
        lines[-1] += f"finite: loss {outcome.loss:.4f}, gradient norm {outcome.grad_norm:.4g}"
    else:
        lines[-1] += str(replayed.message)
    width = max(map(len, replayed.trace.modules), default=0)
    lines += ["", f"{'module, in the order computed':{width}}  {'|output|':>10}  {'|gradient|':>10}"]
    for module in replayed.trace.modules.values():
        gradient = "" if module.gradient is None else f"{module.gradient:10.3g}"
        lines.append(f"{module.name:{max(width, 29)}}  {module.output:10.3g}  {gradient:>10}")
    return "\n".join(lines)


def as_json(replayed: Replay) -> str:
    """Return a replay as JSON; what is not finite is a string."""
    return json.dumps(json.loads(json.dumps(asdict(replayed)), parse_constant=str), indent=2)
