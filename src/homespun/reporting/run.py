"""One run as a report shows it: its files read once, with a note for each that cannot be shown."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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

# More points than a curve has pixels: a longer run is drawn by the extremes of so many buckets of records.
_MAX_BUCKETS = 1000
# The largest sample, recipe or environment to show: a run may come from anybody, and a report must open in a browser.
_MAX_TEXT_BYTES = 100_000

_Content = TypeVar("_Content")


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """Everything of one run directory that a report shows."""

    name: str
    """Printable, whatever the directory is called."""
    recipe: str
    environment: str
    train: list[TrainRecord]
    """Of a long run only the records that its curves need."""
    validation: list[ValidationRecord]
    changes: list[ChangeRecord]
    sessions: list[Session]
    best_step: int | None
    """Of the best checkpoint that is there; None where none has been validated."""
    entropy: CorpusEntropy | None
    result: RunResult | None
    samples: list[tuple[int, str]]
    """(step, text), oldest first."""
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

    def read_if_sound(read: Callable[..., _Content], *arguments: Path) -> _Content | None:
        try:
            return read(*arguments)
        except RunError as error:
            notes.append(escape_unprintable(f"left out: {error}"))
            return None

    texts = [(step_of(path), read_if_sound(_read_text, path)) for path in directory.list_samples()]
    return ReportedRun(
        name=escape_unprintable(root.resolve().name),
        recipe=read_if_sound(_read_text, directory.recipe) or "",
        environment=read_if_sound(_read_text, directory.environment) or "",
        train=train,
        validation=validation,
        changes=[record for record in records if isinstance(record, ChangeRecord)],
        sessions=read_if_sound(directory.read_sessions) or [],
        best_step=best_step(validation, {step_of(path) for path in directory.list_checkpoints()}),
        entropy=read_if_sound(directory.read_entropy),
        result=read_if_sound(directory.read_result),
        samples=[(step, text) for step, text in texts if text is not None],
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
