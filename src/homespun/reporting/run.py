"""One run as a report sees it: its files read once, its derived figures named."""

from dataclasses import dataclass
from pathlib import Path

from homespun.entropy import CorpusEntropy
from homespun.errors import RunError
from homespun.records import RunDirectory, RunResult, TrainRecord, ValidationRecord, step_of


@dataclass(frozen=True, kw_only=True)
class ReportedRun:
    """Everything of one run directory that a report shows."""

    name: str
    recipe: str
    environment: str
    train: list[TrainRecord]
    validation: list[ValidationRecord]
    entropy: CorpusEntropy | None
    result: RunResult | None
    samples: list[tuple[int, str]]
    """(step, text), oldest first."""

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


def read_run(root: Path) -> ReportedRun:
    """Read the run directory at `root`.

    Raises:
        MissingFileError: it holds no run.
        RunError: it has no metrics yet, or a file of it is damaged.
    """
    directory = RunDirectory(root)
    directory.check_exists()
    train, validation = directory.read_metrics()
    if not train and not validation:
        raise RunError(f"{directory.metrics}: no record yet; let the run go on, then report on it")
    return ReportedRun(
        name=root.resolve().name,
        recipe=directory.recipe.read_text(encoding="utf-8"),
        environment=directory.environment.read_text(encoding="utf-8") if directory.environment.exists() else "",
        train=train,
        validation=validation,
        entropy=directory.read_entropy(),
        result=directory.read_result(),
        samples=[(step_of(path), path.read_text(encoding="utf-8")) for path in directory.list_samples()],
    )
