"""The files of a run directory: the one interface between training, which writes them, and reporting, which reads them.

Steps count optimizer steps done: the record of step 500 is taken after the 500th update. A run directory may come from
somebody else: whatever is read from one is checked.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar

from homespun.entropy import CorpusEntropy
from homespun.errors import MissingFileError, RunError
from homespun.files import write_text_atomically
from homespun.typed_json import build_from_json, has_default, parse_json, read_json

_Record = TypeVar("_Record")


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
    grad_norms: dict[str, float] = field(default_factory=dict)
    """`grad_norm` of each component's gradients alone; empty in records of older versions."""
    memory_bytes: int = 0
    """Peak memory of this session so far: the GPU's on a GPU, else the process's; 0 where it is not known."""
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
    cpu_seconds: float = 0.0
    """Processor seconds of the training loop's process, over all its threads; 0 in results of older versions."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One process that trained the run: its beginning, or a resume."""

    began: str
    """UTC, such as 2026-11-27T18:04:43Z."""
    steps_done: int
    """Optimizer steps that the run had behind it."""
    version: str
    """Of homespun."""
    commit: str | None
    """Of the git working tree that it was started in; null outside of one."""
    uncommitted_changes: bool
    """Whether files that git tracks differed from that commit."""
    computed_on: str = ""
    """Processor with instructions and threads, or GPU, precision and versions, which the bits depend on; "" in files of
    older versions."""

    def __str__(self) -> str:
        changes = " with uncommitted changes" if self.uncommitted_changes else ""
        commit = f", commit {self.commit[:10]}{changes}" if self.commit else ""
        return f"{self.began}, after step {self.steps_done:,}: homespun {self.version}{commit}"


class _Member:
    """The path of one file or folder of a run directory."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, directory: "RunDirectory", _owner: type) -> Path:
        return directory.root / self._name


@dataclass(frozen=True)
class RunDirectory:
    """Names the files of the run at `root`; opens none until asked."""

    root: Path

    recipe = _Member("recipe.yaml")  # resolved: every key, no "auto" left
    environment = _Member("environment.json")  # versions, machine, device and precision with reasons, sessions
    tokenizer = _Member("tokenizer")  # a copy, so that the directory can be used anywhere
    entropy = _Member("entropy.json")  # exact bits of the validation documents, where the corpus has them
    metrics = _Member("metrics.jsonl")  # one JSON object a line: a `MetricsRecord`, by its "kind"
    checkpoints = _Member("checkpoints")  # step-000500.safetensors
    failure = _Member("failure")  # the step that ended the run, with its state and batch
    samples = _Member("samples")  # step-000500.txt, and step-000500.json with the tokens' nats
    result = _Member("result.json")  # a `RunResult`; its existence says that the run has finished
    report = _Member("report.html")
    tensorboard = _Member("tensorboard")  # event files, where logging.track has it
    wandb = _Member("wandb")  # files of Weights & Biases, where logging.track has it

    def checkpoint_at(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}.safetensors"

    def sample_at(self, step: int) -> Path:
        return self.samples / f"step-{step:06d}.txt"

    def sample_tokens_at(self, step: int) -> Path:
        return self.samples / f"step-{step:06d}.json"

    def list_checkpoints(self) -> list[Path]:
        """Finished checkpoints, oldest first."""
        return _list_steps(self.checkpoints, ".safetensors")

    def best_checkpoint(self) -> Path | None:
        """The checkpoint that `best_step` names, or None where none of them has been validated.

        Raises:
            RunError: `metrics.jsonl` is damaged.
        """
        paths = {step_of(path): path for path in self.list_checkpoints()}
        step = best_step(self.read_validations(), paths)
        return None if step is None else paths[step]

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
        """Return the training and the validation records of `metrics.jsonl`, each in the order written."""
        records = [*self.iter_metrics()]
        validation = [record for record in records if isinstance(record, ValidationRecord)]
        return [record for record in records if isinstance(record, TrainRecord)], validation

    def read_validations(self) -> list[ValidationRecord]:
        """Return the validation records of `metrics.jsonl` in the order written; faster than `read_metrics`."""
        return [record for record in self.iter_metrics(1000) if isinstance(record, ValidationRecord)]

    def iter_metrics(self, max_buckets: int | None = None) -> Iterator[MetricsRecord]:
        """Yield the records of `metrics.jsonl`; every line is checked, also those that are left out.

        Args:
            max_buckets: Points that a curve can show. The lines are put into at most so many buckets of about equal
                size. Of its training records a bucket keeps the first, the ones of least and greatest loss and the one
                of greatest gradient norm, so that no spike disappears; it keeps all other records. None: all of them.

        Raises:
            RunError: a line is no record, or the file is no regular file.
        """
        if not self.metrics.exists():
            return
        check_regular(self.metrics)
        data, begin, number = self.metrics.read_bytes(), 0, 0
        while begin < len(data):
            end = data.find(b"\n", begin + len(data) // (max_buckets or 1000)) + 1 or len(data)
            # A long run has 300,000 lines. A training record as `Recorder` writes it is recognised by a pattern, in two
            # microseconds; any other line takes the careful path, which accepts it or says what is wrong.
            lines = _LINE.findall(data, begin, end)
            records: dict[int, MetricsRecord] = {
                index: parse_record(columns[-1], where=f"{self.metrics}:{number + index + 1}")
                for index, columns in enumerate(lines)
                if columns[-1]
            }
            train = [index for index in range(len(lines)) if index not in records]
            for index in _extremes(lines, train) if train and max_buckets else train:
                records[index] = _build_train_record(lines[index])
            yield from (records[index] for index in sorted(records))
            begin, number = end, number + len(lines)

    def last_step(self) -> int:
        """The step of the latest record in `metrics.jsonl`, 0 before the first; reads the end of the file alone."""
        if not self.metrics.is_file():
            return 0
        with self.metrics.open("rb") as file:
            file.seek(max(0, self.metrics.stat().st_size - 4096))
            steps = re.findall(rb'^\{"step": ([0-9]+)', file.read(), re.MULTILINE)
        return int(steps[-1]) if steps else 0

    def read_sessions(self) -> list[Session]:
        """Return the processes that trained the run, in order; none for a run of a version that did not record them.

        Raises:
            RunError: environment.json is no JSON object, or its sessions are none.
        """
        if not self.environment.exists():
            return []
        check_regular(self.environment)
        try:
            values = parse_json(self.environment.read_bytes())
            return build_from_json(list[Session], values.get("sessions", []), allow_defaults=True)
        except (ValueError, AttributeError) as error:
            raise RunError(f"{self.environment}: its sessions are damaged: {error}; delete the file") from error

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


def best_step(validations: Iterable[ValidationRecord], saved: Collection[int]) -> int | None:
    """Return which of the steps `saved` has the lowest validation loss; None where none has been validated.

    Losses of different texts do not compare, so only those count that scored the text of the latest: the head of the
    validation set, whose length may have changed when the run resumed. The last step is scored on the head, then on
    the whole.
    """
    scored = [record for record in validations if record.step in saved and isfinite(record.loss)]
    if not scored:
        return None
    latest = max(scored, key=lambda record: record.step)  # of equals the first: the head
    comparable = [
        record for record in scored if (record.num_tokens, record.num_bytes) == (latest.num_tokens, latest.num_bytes)
    ]
    return min(comparable, key=lambda record: record.loss).step


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
# Numbers as JSON writes them, not negative and far from the limits of their type: what else there may be is judged
# by `build_from_json`. The quantifiers are possessive, so a long line that does not match takes linear time.
_FLOAT = r"(?:0|[1-9][0-9]{0,17}+)(?:\.[0-9]{1,20}+)?+(?:e[-+][0-9]{2})?+"


def _read_norms(text: bytes) -> dict[str, float]:
    # Half the time of `json.loads`, which guesses at encodings and looks for white space.
    norms, _end = _DECODER.raw_decode(text.decode())
    return norms


_DECODER = json.JSONDecoder()
# A type of column: its pattern, and what reads a match.
_COLUMN_TYPES: dict[Any, tuple[str, Callable[[bytes], Any]]] = {
    int: (r"(?:0|[1-9][0-9]{0,17}+)", int),
    float: (_FLOAT, float),
    dict[str, float]: (rf'\{{(?:"[a-z-]{{1,30}}+": {_FLOAT}(?:, (?=")|(?=\}})))*+\}}', _read_norms),
}
_COLUMNS = [(column, *_COLUMN_TYPES[column.type]) for column in fields(TrainRecord) if column.name != "kind"]
_LOSS, _GRAD_NORM = map([column.name for column, *_ in _COLUMNS].index, ("loss", "grad_norm"))
_ALWAYS, _SINCE_LATER = (
    ", ".join(f'"{column.name}": ({pattern})' for column, pattern, _ in _COLUMNS if has_default(column) is later)
    for later in (False, True)
)
# A group for each column of a training record, and the last for any other line: `findall` leaves no byte out.
_LINE = re.compile(f'{{{_ALWAYS}(?:, {_SINCE_LATER})?+, "kind": "train"}}\n|(.+\n?|\n)'.encode())


def _extremes(lines: list[tuple[bytes, ...]], train: list[int]) -> set[int]:
    """Return which of the training records, by their indices `train` in `lines`, a curve cannot do without."""
    losses, norms = ([float(lines[index][column]) for index in train] for column in (_LOSS, _GRAD_NORM))
    extremes = {losses.index(min(losses)), losses.index(max(losses)), norms.index(max(norms))}
    return {train[position] for position in {0, *extremes}}


def _build_train_record(columns: Sequence[bytes]) -> TrainRecord:
    # The last group is the other lines'; a column that is empty is one that an older version did not write.
    named = zip(_COLUMNS, columns, strict=False)
    return TrainRecord(**{column.name: read(text) for (column, _, read), text in named if text})


def parse_record(line: str | bytes, *, where: str) -> MetricsRecord:
    """Read one line of `metrics.jsonl`.

    Raises:
        RunError: it is no JSON object of a known kind with that kind's keys.
    """
    try:
        values = parse_json(line)
        return build_from_json(_KINDS[values["kind"]], values, allow_defaults=True)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{where}: not a metrics record ({error!r:.300}); restore the file or delete the run") from error


def read_json_record(path: Path, kind: type[_Record]) -> _Record:
    """Read a JSON file that holds one record.

    Raises:
        RunError: it does not hold the record's keys and no others, or is no regular file.
    """
    check_regular(path)
    try:
        return read_json(path, kind, allow_defaults=True)
    except ValueError as error:
        raise RunError(f"{error}; restore the file or delete it") from error


def write_json_record(path: Path, record: Any) -> None:
    """Write one record, a dataclass, as a JSON file, atomically."""
    write_text_atomically(path, json.dumps(asdict(record), indent=2) + "\n")
