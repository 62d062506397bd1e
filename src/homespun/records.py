"""The files of a run directory: the one interface between training, which writes them, and reporting, which reads them.

    recipe.yaml         the resolved recipe: every key, no "auto" left
    environment.json    versions, machine, device and precision with the reason they were chosen
    tokenizer/          the run's tokenizer, so that the directory can be used anywhere
    entropy.json        exact bits of the validation documents, where the corpus knows them (the storybook)
    metrics.jsonl       one JSON object a line: a `TrainRecord`, `ValidationRecord` or `ChangeRecord`, by its "kind"
    checkpoints/        step-000500.safetensors
    samples/            step-000500.txt
    result.json         `RunResult`; its existence says that the run has finished
    report.html         the report of this run

Steps count optimizer steps done: the record of step 500 is taken after the 500th update. A run directory may come from
somebody else: whatever is read from one is checked.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Literal, TypeVar

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
    """Wall-clock seconds spent in the training loop since the run began, over all its sessions."""
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
class ChangeRecord:
    """One setting that was changed when the run resumed."""

    step: int
    """Optimizer steps done when it resumed."""
    key: str
    """Of the recipe, such as execution.micro_batch."""
    before: str
    after: str
    kind: Literal["change"] = "change"


MetricsRecord = TrainRecord | ValidationRecord | ChangeRecord


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a finished run ended."""

    steps: int
    tokens: int
    train_loss: float
    """Mean loss over the last records' steps, in nats per token."""
    validation: ValidationRecord
    """The last validation, over the whole set."""
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
        return _list_steps(self.checkpoints, ".safetensors")

    def list_samples(self) -> list[Path]:
        """Sample files, oldest first."""
        return _list_steps(self.samples, ".txt")

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
        """Every training and validation record of `metrics.jsonl`, in the order written."""
        train: list[TrainRecord] = []
        validation: list[ValidationRecord] = []
        for record in self.iter_metrics():
            if isinstance(record, TrainRecord):
                train.append(record)
            elif isinstance(record, ValidationRecord):
                validation.append(record)
        return train, validation

    def iter_metrics(self) -> Iterator[MetricsRecord]:
        """Yield the records of `metrics.jsonl` one by one.

        Raises:
            RunError: a line is no record, or the file is no regular file.
        """
        for line in self._iter_lines():
            yield _train_record(line) if isinstance(line, re.Match) else line

    def sample_metrics(self, max_buckets: int) -> list[MetricsRecord]:
        """Return the records of `metrics.jsonl`, of a long run only as many as a curve can show.

        Training records are put into at most `max_buckets` buckets of equal size. Each keeps its first record, the
        ones of least and greatest loss and of greatest gradient norm, so that no spike disappears. Every line is
        checked all the same.

        Raises:
            RunError: as in `iter_metrics`.
        """
        lines = [*self._iter_lines()]
        size = -(-len(lines) // max_buckets)
        kept: list[MetricsRecord] = []
        for begin in range(0, len(lines), max(size, 1)):
            bucket = lines[begin : begin + size]
            matches = {index: line for index, line in enumerate(bucket) if isinstance(line, re.Match)}
            losses = {index: float(match[3]) for index, match in matches.items()}
            norms = {index: float(match[5]) for index, match in matches.items()}
            shown = set()
            if matches:
                shown = {min(matches), min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)}
                shown.add(max(norms, key=norms.__getitem__))
            kept += [
                _train_record(line) if isinstance(line, re.Match) else line
                for index, line in enumerate(bucket)
                if index not in matches or index in shown
            ]
        return kept

    def _iter_lines(self) -> Iterator["re.Match[bytes] | MetricsRecord"]:
        """Yield each line of `metrics.jsonl`, checked: matches of `_TRAIN_LINE`, and whole records of any other."""
        if not self.metrics.exists():
            return
        check_regular(self.metrics)
        data, begin, number = self.metrics.read_bytes(), 0, 0
        while begin < len(data):
            number += 1
            # A long run has 300,000 lines. A training record as `Recorder` writes it is recognised by a pattern, in
            # a few microseconds; any other line takes the careful path, which accepts it or says what is wrong.
            if match := _TRAIN_LINE.match(data, begin):
                yield match
                begin = match.end()
            else:
                end = data.find(b"\n", begin) + 1 or len(data)
                yield parse_record(data[begin:end], where=f"{self.metrics}:{number}")
                begin = end

    def read_entropy(self) -> CorpusEntropy | None:
        """The corpus's exact bits, or None for text whose source is unknown.

        Raises:
            RunError: the file does not hold them.
        """
        if not self.entropy.exists():
            return None
        entropy = read_json_record(self.entropy, CorpusEntropy)
        if not (entropy.num_bytes and isfinite(entropy.bits)):
            raise RunError(
                f"{self.entropy}: {entropy.bits} bits in {entropy.num_bytes} bytes are no entropy; "
                "restore the file or delete it"
            )
        return entropy

    def read_result(self) -> RunResult | None:
        """How the run ended, or None while it has not.

        Raises:
            RunError: the file holds no result.
        """
        return read_json_record(self.result, RunResult) if self.result.exists() else None


def step_of(path: Path) -> int:
    """The step that a file's name `step-000500.ext` carries."""
    return int(path.stem.removeprefix("step-"))


def _list_steps(folder: Path, suffix: str) -> list[Path]:
    # Only names that a run writes: step-final.txt or step-<other digits>.txt are somebody's own files.
    named = re.compile(rf"step-([0-9]{{6}}|[1-9][0-9]{{6,17}}){re.escape(suffix)}")
    return sorted((path for path in folder.glob(f"step-*{suffix}") if named.fullmatch(path.name)), key=step_of)


def check_regular(path: Path) -> None:
    """Refuse what reading would not come back from, such as a FIFO that nobody writes to.

    Raises:
        RunError: it is no regular file.
    """
    if not path.is_file():
        raise RunError(f"{path}: not a regular file; remove it, or restore the run's own")


_KINDS = {"train": TrainRecord, "validation": ValidationRecord, "change": ChangeRecord}
_TRAIN_KEYS = [field.name for field in fields(TrainRecord)][:-1]
# Numbers as JSON writes them, not negative and far from the limits of their type: what else there may be is judged
# by `build_from_json`. The quantifiers are possessive, so a long line that does not match takes linear time.
_NUMBER = {int: r"(0|[1-9][0-9]{0,17}+)", float: r"((?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,20}+)?+(?:e[-+][0-9]{2})?+)"}
_TRAIN_FIELDS = ", ".join(f'"{name}": {_NUMBER[TrainRecord.__annotations__[name]]}' for name in _TRAIN_KEYS)
_TRAIN_LINE = re.compile(f'{{{_TRAIN_FIELDS}, "kind": "train"}}\n'.encode())


def _train_record(match: "re.Match[bytes]") -> TrainRecord:
    step, tokens, loss, lr, grad_norm, tokens_per_second, mfu, seconds = match.groups()
    return TrainRecord(
        step=int(step),
        tokens=int(tokens),
        loss=float(loss),
        lr=float(lr),
        grad_norm=float(grad_norm),
        tokens_per_second=float(tokens_per_second),
        mfu=float(mfu),
        seconds=float(seconds),
    )


def parse_record(line: str | bytes, *, where: str) -> MetricsRecord:
    """Read one line of `metrics.jsonl`.

    Raises:
        RunError: it is no JSON object of a known kind with that kind's keys.
    """
    try:
        values = parse_json(line)
        return build_from_json(_KINDS[values["kind"]], values)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{where}: not a metrics record ({error!r:.300}); restore the file or delete the run") from error


def read_json_record(path: Path, kind: type[_Record]) -> _Record:
    """Read a JSON file that holds one record.

    Raises:
        RunError: it does not hold exactly the record's keys, or is no regular file.
    """
    check_regular(path)
    try:
        return read_json(path, kind)
    except ValueError as error:
        raise RunError(f"{error}; restore the file or delete it") from error


def write_json_record(path: Path, record: CorpusEntropy | RunResult) -> None:
    """Write one record as a JSON file, atomically."""
    write_text_atomically(path, json.dumps(asdict(record), indent=2) + "\n")
