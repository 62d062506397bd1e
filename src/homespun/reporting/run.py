"""One run as a report shows it: its files read once, with a note for each that cannot be shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from homespun.entropy import CorpusEntropy
from homespun.errors import RunError, escape_unprintable
from homespun.records import (
    ChangeRecord,
    RunDirectory,
    RunResult,
    Session,
    TrainRecord,
    ValidationRecord,
    best_step,
    check_regular,
    step_of,
)
from homespun.reporting.settings import Machine, read_machine, read_settings
from homespun.samples import TextSample, read_samples

# More points than a curve has pixels: a longer run is drawn by the extremes of so many buckets of records.
_MAX_BUCKETS = 1000
# The largest sample, recipe or environment to show: a run may come from anybody, and a report must open in a browser.
_MAX_TEXT_BYTES = 100_000
_MAX_TOKENS_BYTES = 2_000_000

_Content = TypeVar("_Content")


@dataclass(frozen=True, kw_only=True)
class ReportedSample:
    """What the model wrote at one step."""

    step: int
    text: str
    tokens: list[TextSample]
    """The same texts token by token; empty for a run of a version that did not record them."""


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """Everything of one run directory that a report shows."""

    name: str
    """Printable, whatever the directory is called."""
    recipe: str
    settings: dict[str, Any] = field(default_factory=dict)
    """The recipe's keys, such as model.d_model, with their values."""
    environment: str
    machine: Machine = field(default_factory=Machine)
    train: list[TrainRecord]
    """Of a long run only the records that its curves need."""
    validation: list[ValidationRecord]
    changes: list[ChangeRecord]
    sessions: list[Session]
    best_step: int | None
    """Of the best checkpoint that is there; None where none has been validated."""
    entropy: CorpusEntropy | None
    result: RunResult | None
    samples: list[ReportedSample]
    """Oldest first."""
    notes: list[str]
    """What was left out, and why."""

    @property
    def final_validation(self) -> ValidationRecord | None:
        """The last evaluation of the whole set, or of its head where there is none yet."""
        whole = [record for record in self.validation if record.whole]
        return (whole or self.validation or [None])[-1]

    @property
    def excess_bits_per_byte(self) -> float | None:
        """How far the model is above the exact entropy of the same documents, where that is known."""
        final = self.final_validation
        if final is None or self.entropy is None or not final.whole:
            return None
        return final.bits_per_byte - self.entropy.bits_per_byte

    @property
    def last_tokens(self) -> int:
        """Tokens trained on at the last record."""
        return max(record.tokens for record in [*self.train, *self.validation])

    @property
    def seconds(self) -> float:
        """Seconds in the training loop, up to the last record."""
        return self.result.seconds if self.result else max(r.seconds for r in [*self.train, *self.validation])

    @property
    def bits_per_nat(self) -> float | None:
        """What turns nats per token of the validation text into bits per byte of it."""
        final = self.final_validation
        if final is None or not (final.num_bytes and 0 < final.loss < float("inf")):
            return None
        return final.bits_per_byte / final.loss

    @property
    def flops_per_token(self) -> float | None:
        """FLOPs of training on one token: the recorded utilisation times the peak, over the speed."""
        peak = self.machine.peak_flops
        for record in reversed(self.train):
            if peak and record.mfu > 0 and record.tokens_per_second > 0:
                return record.mfu * peak / record.tokens_per_second
        return None


def read_run(root: Path) -> ReportedRun:
    """Read the run directory at `root`.

    A damaged metrics file is an error; any other file that cannot be read is left out with a note.

    Raises:
        MissingFileError: it holds no run.
        RunError: it has no metrics yet, or they are damaged.
    """
    directory = RunDirectory(root)
    directory.check_exists()
    records = [*directory.iter_metrics(_MAX_BUCKETS)]
    train = [record for record in records if isinstance(record, TrainRecord)]
    validation = [record for record in records if isinstance(record, ValidationRecord)]
    if not train and not validation:
        raise RunError(f"{directory.metrics}: no record yet; wait for the first one, then report again")
    notes: list[str] = []

    def read_if_sound(read: Callable[..., _Content], *arguments: Any) -> _Content | None:
        try:
            return read(*arguments)
        except RunError as error:
            notes.append(escape_unprintable(f"left out: {error}"))
            return None

    samples = []
    for path in directory.list_samples():
        text = read_if_sound(_read_text, path)
        tokens = read_if_sound(_read_tokens, directory.sample_tokens_at(step_of(path))) or []
        if text is not None:
            samples.append(ReportedSample(step=step_of(path), text=text, tokens=tokens))
    recipe = read_if_sound(_read_text, directory.recipe) or ""
    environment = read_if_sound(_read_text, directory.environment) or ""
    return ReportedRun(
        name=escape_unprintable(root.resolve().name),
        recipe=recipe,
        settings=read_if_sound(read_settings, directory.recipe, recipe) or {},
        environment=environment,
        machine=read_machine(environment),
        train=train,
        validation=validation,
        changes=[record for record in records if isinstance(record, ChangeRecord)],
        sessions=read_if_sound(directory.read_sessions) or [],
        best_step=best_step(validation, {step_of(path) for path in directory.list_checkpoints()}),
        entropy=read_if_sound(directory.read_entropy),
        result=read_if_sound(directory.read_result),
        samples=samples,
        notes=notes,
    )


def _read_text(path: Path) -> str:
    """Return the text of a file, "" where there is none."""
    if not path.exists():
        return ""
    check_regular(path)
    with path.open("rb") as file:
        content = file.read(_MAX_TEXT_BYTES + 1)
    if len(content) > _MAX_TEXT_BYTES:
        raise RunError(f"{path}: more than {_MAX_TEXT_BYTES:,} bytes; open the file itself")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: byte {error.start} is not valid UTF-8") from error


def _read_tokens(path: Path) -> list[TextSample]:
    if path.is_file() and path.stat().st_size > _MAX_TOKENS_BYTES:
        raise RunError(f"{path}: more than {_MAX_TOKENS_BYTES:,} bytes; open the file itself")
    return read_samples(path)
