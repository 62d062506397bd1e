"""Score a run's checkpoints again and compare with the losses that its files state."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from homespun.checkpoint.checkpoint import Checkpoint
from homespun.data.dataset import TokenDataset
from homespun.data.manifest import MANIFEST_NAME
from homespun.errors import ConfigError, DataError, RunError
from homespun.evaluation.evaluate import Evaluation, evaluate_dataset
from homespun.files import sha256_of_file
from homespun.recipe.config import Device, RunConfig
from homespun.recipe.data import open_dataset
from homespun.recipe.load import load_recipe
from homespun.records import ChangeRecord, RunDirectory, ValidationRecord, step_of
from homespun.runs.device import autocast, choose_device, compute_threads
from homespun.runs.load import TrainedRun, load_run
from homespun.training.environment import describe_computation, find_commit
from homespun.training.run import RunState

_TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-3}
"""Relative difference of two losses of the same weights and text that other instructions may cause, by precision.

float32 rounds to 2**-24, bfloat16 to 2**-9; sums over channels and layers make it larger, the mean over thousands of
tokens smaller. docs/LOG.md has what was measured (2026-11-27).
"""


@dataclass(frozen=True, kw_only=True)
class LossCheck:
    """One recorded validation, and what scoring the same checkpoint on the same text gives now."""

    step: int
    names: tuple[str, ...]
    """What the checkpoint is: "latest", "best" or both."""
    source: Path
    """The file that states the loss."""
    recorded: ValidationRecord
    found: Evaluation
    precision: str
    difference: str
    """Why the bits may differ from the recorded ones; "" where they must be the same."""

    @property
    def is_exact(self) -> bool:
        """Whether every figure is the recorded one, to the bit."""
        return _figures(self.recorded) == _figures(self.found)

    @property
    def tolerance(self) -> float:
        """The relative difference in loss that is allowed."""
        return _TOLERANCES[self.precision] if self.difference else 0.0

    @property
    def holds(self) -> bool:
        """Whether the recorded figures are right."""
        recorded, found = self.recorded, self.found
        return (recorded.num_tokens, recorded.num_bytes) == (found.num_tokens, found.num_bytes) and all(
            isclose(was, now, rel_tol=tolerance, abs_tol=0)
            for was, now, tolerance in (
                (recorded.loss, found.loss, self.tolerance),
                (recorded.bits_per_byte, found.bits_per_byte, self.tolerance),
                # The exponential of the loss: its relative error is the loss's absolute one.
                (recorded.perplexity, found.perplexity, self.tolerance * found.loss),
            )
        )

    def __str__(self) -> str:
        verdict = (
            "the same to the bit" if self.is_exact else "the same within rounding" if self.holds else "NOT THE SAME"
        )
        counts = f"{self.recorded.num_tokens:,} tokens of {self.recorded.num_bytes:,} bytes"
        scored = f"{self.found.num_tokens:,} tokens of {self.found.num_bytes:,} bytes"
        line = f"step {self.step:,} ({' and '.join(self.names)}), {'whole set' if self.found.whole else 'its head'}, "
        line += f"{scored}: loss {self.found.loss!r}; {self.source.name} has {self.recorded.loss!r}"
        line += f" of {counts}: {verdict}" if counts != scored else f": {verdict}"
        if self.is_exact:
            return line
        return f"{line}; {self.difference or 'the same machine and version must give the same bits'}"


def _figures(scored: ValidationRecord | Evaluation) -> tuple[float, ...]:
    return scored.num_tokens, scored.num_bytes, scored.loss, scored.perplexity, scored.bits_per_byte


def check_losses(root: Path, data: str | None = None) -> Iterator[LossCheck]:
    """Score the latest and the best checkpoint of the run at `root` again, and yield a check of each record of them.

    The text is what the record is about: the whole validation set where that was scored after the checkpoint's step,
    else the head of it. What was recorded on this machine by this version must come out to the bit. Other
    instructions, precisions, numbers of threads and versions may change the loss by rounding.

    Args:
        root: A run directory, of a run that has finished or not.
        data: The validation set, if it is elsewhere than the recipe says; it must be the same one.

    Raises:
        RunError: neither checkpoint has a recorded validation, or the run's files are damaged.
        DataError: the data are not those of the run.
        HomespunError: also as `load_run` and `open_dataset`.
    """
    directory = RunDirectory(root)
    directory.check_exists()
    best = directory.best_checkpoint()
    latest = next(reversed(directory.list_checkpoints()), None)
    stated = {path: _recorded_validations(directory, step_of(path)) for path in (latest, best) if path is not None}
    if not any(stated.values()):
        raise RunError(
            f"{root}: no loss is recorded for a checkpoint that is there, so that there is nothing to check; "
            "`homespun evaluate` scores a checkpoint"
        )
    device = _device_of(load_recipe(directory.recipe))
    for path, records in stated.items():
        if records:
            run = load_run(root, path, device)
            evaluation, computed_on = _score(run, _open_validation_set(run, path, data), records[0][1])
            for source, record in records:
                yield LossCheck(
                    step=run.step,
                    names=tuple(name for name, each in (("latest", latest), ("best", best)) if each == path),
                    source=source,
                    recorded=record,
                    found=evaluation,
                    precision=run.config.execution.precision,
                    difference=_difference_since(directory, record.step, computed_on),
                )


def _recorded_validations(directory: RunDirectory, step: int) -> list[tuple[Path, ValidationRecord]]:
    """Return what the run's files state about a step, each with its file: about the whole set, or else about its head.

    result.json repeats the last record of metrics.jsonl, and is checked by itself where it has another figure.
    """
    records = [record for record in directory.read_validations() if record.step == step]
    whole = [record for record in records if record.whole]
    stated = [(directory.metrics, record) for record in (whole or records)[-1:]]
    result = directory.read_result()
    if result is not None and result.validation.step == step and [result.validation] != whole[-1:]:
        stated = [pair for pair in stated if pair[1].whole] + [(directory.result, result.validation)]
    return stated


def _device_of(config: RunConfig) -> Device:
    """Return where the run was trained, or the best there is here."""
    try:
        choose_device(config.execution.device)
    except ConfigError:
        return "auto"
    return config.execution.device


def _open_validation_set(run: TrainedRun, checkpoint: Path, data: str | None) -> TokenDataset:
    """Open the run's validation set.

    Raises:
        MissingFileError: it is not there.
        DataError: it is damaged, or another one than when the checkpoint was saved.
    """
    field, place = ("data.valid", run.config.data.valid) if data is None else ("--data", data)
    dataset = open_dataset(field, place, run.tokenizer, run.config.model.vocab_size)
    dataset.verify_once()
    if sha256_of_file(dataset.path / MANIFEST_NAME) != RunState.of(Checkpoint.open(checkpoint)).data.valid:
        raise DataError(
            f"{field} = {place}: is not the validation set that this run was scored on; restore that one, or name it "
            "with --data"
        )
    return dataset


def _score(run: TrainedRun, dataset: TokenDataset, record: ValidationRecord) -> tuple[Evaluation, str]:
    """Score what `record` is about, as the training loop does, and return on what it was computed too."""
    execution = run.config.execution
    with compute_threads(run.device, execution.precision, execution.threads):
        evaluation = evaluate_dataset(
            run.model,
            dataset,
            context_length=run.config.model.context_length,
            batch_size=execution.micro_batch,
            max_tokens=None if record.whole else record.num_tokens,
            precision_context=lambda: autocast(run.device, execution.precision),
        )
        return evaluation, describe_computation(run.device, execution.precision)


def _difference_since(directory: RunDirectory, step: int, computed_on: str) -> str:
    """Say why the record of `step` need not be what is computed now to the bit; "" if it must be."""
    sessions = [session for session in directory.read_sessions() if session.steps_done < step]
    if not sessions or not sessions[-1].computed_on:
        return "the run does not say what it was computed on"
    session = sessions[-1]
    if session.computed_on != computed_on:
        return f"it was computed on {session.computed_on}; this is {computed_on}"
    if (session.commit, session.uncommitted_changes) != find_commit(Path()) or session.uncommitted_changes:
        return f"it was computed by another commit than this, {session.commit or 'none'}, or with uncommitted changes"
    changed = [
        record.key
        for record in directory.iter_metrics(1000)
        if isinstance(record, ChangeRecord) and record.step >= step and record.key.startswith("execution.")
    ]
    return f"{changed[0]} was changed since" if changed else ""
