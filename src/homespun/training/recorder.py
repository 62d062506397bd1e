"""Write a run's events to its directory: metrics.jsonl, samples, result.json."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from types import TracebackType

from homespun.files import make_directory, storage_errors, write_text_atomically
from homespun.records import RunDirectory, TrainRecord, ValidationRecord, parse_record, write_json_record
from homespun.training.events import Event, RunFinished, Sampled, StepLogged, Validated

SAMPLE_RULE = "\n" + "-" * 72 + "\n"
"""Separates the samples of one file."""


class Recorder:
    """A listener that appends to `metrics.jsonl` while it is open; use it in a `with` block.

    Each line is flushed when written, so a killed process loses at most the line it was writing. What it wrote after
    its last checkpoint, `cut_metrics` removes when the run resumes.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._closing = ExitStack()

    def __enter__(self) -> "Recorder":
        with storage_errors(self._directory.metrics):
            self._metrics = self._closing.enter_context(self._directory.metrics.open("a", encoding="utf-8"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def __call__(self, event: Event) -> None:
        match event:
            case StepLogged(record=record) | Validated(record=record):
                self._append(record)
            case Sampled(step=step, texts=texts):
                make_directory(self._directory.samples)
                write_text_atomically(self._directory.sample_at(step), SAMPLE_RULE.join(texts) + "\n")
            case RunFinished(result=result):
                write_json_record(self._directory.result, result)
            case _:
                pass

    def _append(self, record: TrainRecord | ValidationRecord) -> None:
        with storage_errors(self._directory.metrics):
            self._metrics.write(json.dumps(asdict(record)) + "\n")
            self._metrics.flush()


def cut_metrics(directory: RunDirectory, step: int) -> None:
    """Remove from `metrics.jsonl` every record past `step`, and a last line that was never finished.

    The steps past a checkpoint are taken again after it is loaded; without the cut they would be on record twice.

    Raises:
        RunError: a line other than the last is no record; the message names the line.
    """
    if not directory.metrics.exists():
        return
    # Bytes, and line feeds alone: a damaged byte need not be UTF-8, and other line ends may stand in a record.
    lines = directory.metrics.read_bytes().split(b"\n")
    unfinished = lines.pop()
    records = [parse_record(line, where=f"{directory.metrics}:{n}") for n, line in enumerate(lines, start=1)]
    kept = [line + b"\n" for line, record in zip(lines, records, strict=True) if record.step <= step]
    if unfinished or len(kept) < len(lines):
        write_text_atomically(directory.metrics, b"".join(kept).decode())
