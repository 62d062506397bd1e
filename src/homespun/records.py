"""The files of a run directory: the one interface between training, which writes them, and reporting, which reads them.

    recipe.yaml         the resolved recipe: every key, no "auto" left
    environment.json    versions, machine, device and precision with the reason they were chosen
    tokenizer/          the run's tokenizer, so that the directory can be used anywhere
    entropy.json        exact bits of the validation documents, where the corpus knows them (the storybook)
    metrics.jsonl       one JSON object a line: `TrainRecord` or `ValidationRecord`, told apart by "kind"
    checkpoints/        step-000500.safetensors
    samples/            step-000500.txt
    result.json         `RunResult`; its existence says that the run has finished
    report.html         the report of this run

Steps count optimizer steps done: the record of step 500 is taken after the 500th update.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from homespun.entropy import CorpusEntropy
from homespun.errors import MissingFileError, RunError
from homespun.files import write_text_atomically
from homespun.typed_json import build_from_json, parse_json, read_json

_Record = TypeVar("_Record", bound="RunResult | CorpusEntropy")


@dataclass(frozen=True, kw_only=True)
class TrainRecord:
    """One optimizer step as logged; averages are over the steps since the record before."""

    step: int
    tokens: int
    """Tokens trained on since the run began."""
    loss: float
    """Mean cross-entropy of this step's batch, in nats per token."""
    lr: float
    grad_norm: float
    """Global l2 norm of the gradients before clipping."""
    tokens_per_second: float
    mfu: float
    """Model FLOPs utilisation: exact forward multiplies x 3 over the machine's peak, 0 to 1."""
    seconds: float
    """Wall-clock seconds spent in the training loop since the run began, resumed parts included."""
    kind: Literal["train"] = "train"


@dataclass(frozen=True, kw_only=True)
class ValidationRecord:
    """One evaluation on held-out text."""

    step: int
    tokens: int
    """Tokens trained on when it was taken."""
    loss: float
    """Mean nats per token."""
    perplexity: float
    bits_per_byte: float
    """Total nats / ln 2 / bytes of text, separators included."""
    num_tokens: int
    """Tokens scored."""
    num_bytes: int
    """Bytes of text scored, separators included."""
    whole: bool
    """Whether the whole validation set was scored, rather than a fixed head of it."""
    seconds: float
    """Wall-clock seconds of the training loop when it was taken."""
    kind: Literal["validation"] = "validation"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a finished run ended."""

    steps: int
    tokens: int
    train_loss: float
    """Mean loss over the last records' steps, in nats per token."""
    validation: dict[str, Any]
    """The last `ValidationRecord`, over the whole set, as a dict."""
    seconds: float
    tokens_per_second: float
    num_parameters: int


@dataclass(frozen=True)
class RunDirectory:
    """Names the files of the run at `root`; opens none until asked."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    @property
    def environment(self) -> Path:
        return self.root / "environment.json"

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    @property
    def entropy(self) -> Path:
        return self.root / "entropy.json"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    def checkpoint_at(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}.safetensors"

    def sample_at(self, step: int) -> Path:
        return self.samples / f"step-{step:06d}.txt"

    def list_checkpoints(self) -> list[Path]:
        """Finished checkpoints, oldest first."""
        return sorted(self.checkpoints.glob("step-*.safetensors"), key=step_of)

    def list_samples(self) -> list[Path]:
        """Sample files, oldest first."""
        return sorted(self.samples.glob("step-*.txt"), key=step_of)

    def check_exists(self) -> None:
        """Refuse a directory that holds no run.

        Raises:
            MissingFileError: there is no `recipe.yaml` in it.
        """
        if not self.recipe.is_file():
            raise MissingFileError(
                f"{self.root}: not a run directory (it has no recipe.yaml); "
                "name the directory that `homespun train` printed"
            )

    def read_metrics(self) -> tuple[list[TrainRecord], list[ValidationRecord]]:
        """Every record of `metrics.jsonl`, in the order written."""
        train: list[TrainRecord] = []
        validation: list[ValidationRecord] = []
        for record in self.iter_metrics():
            if isinstance(record, TrainRecord):
                train.append(record)
            else:
                validation.append(record)
        return train, validation

    def iter_metrics(self) -> Iterator[TrainRecord | ValidationRecord]:
        """Records of `metrics.jsonl` one by one.

        Raises:
            RunError: a line is no record.
        """
        if not self.metrics.exists():
            return
        with self.metrics.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield parse_record(line, where=f"{self.metrics}:{number}")

    def read_entropy(self) -> CorpusEntropy | None:
        """The corpus's exact bits, or None for text whose source is unknown."""
        return read_json_record(self.entropy, CorpusEntropy) if self.entropy.exists() else None

    def read_result(self) -> RunResult | None:
        """How the run ended, or None while it has not."""
        return read_json_record(self.result, RunResult) if self.result.exists() else None


def step_of(path: Path) -> int:
    """The step that a file's name `step-000500.ext` carries."""
    return int(path.stem.removeprefix("step-"))


def parse_record(line: str | bytes, *, where: str) -> TrainRecord | ValidationRecord:
    """Read one line of `metrics.jsonl`.

    Raises:
        RunError: it is no JSON object of a known kind with that kind's keys.
    """
    try:
        values = parse_json(line)
        return build_from_json({"train": TrainRecord, "validation": ValidationRecord}[values["kind"]], values)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{where}: not a metrics record ({error!r}); restore the file or delete the run") from error


def read_json_record(path: Path, kind: type[_Record]) -> _Record:
    """Read a JSON file that holds one record.

    Raises:
        RunError: it does not hold exactly the record's keys.
    """
    try:
        return read_json(path, kind)
    except ValueError as error:
        raise RunError(f"{error}; restore the file or delete it") from error


def write_json_record(path: Path, record: CorpusEntropy | RunResult) -> None:
    """Write one record as a JSON file, atomically."""
    write_text_atomically(path, json.dumps(asdict(record), indent=2) + "\n")
