"""Write a run's events to its directory: metrics.jsonl, samples, result.json."""

import json
from contextlib import ExitStack
from dataclasses import asdict

from homespun.files import make_directory, storage_errors, write_text_atomically
from homespun.records import RunDirectory, TrainRecord, ValidationRecord, write_json_record
from homespun.samples import write_samples
from homespun.training.events import Event, RunFinished, Sampled, StepLogged, Validated

SAMPLE_RULE = "\n" + "-" * 72 + "\n"
"""Separates the samples of one file."""


class Recorder(ExitStack):
    """A listener that appends to `metrics.jsonl` while it is open; use it in a `with` block.

    Each line is flushed when written, so a killed process loses at most the line it was writing. `cut_metrics`
    removes what was written after the last checkpoint when the run resumes.
    """

    def __init__(self, directory: RunDirectory) -> None:
        super().__init__()
        self._directory = directory

    def __enter__(self) -> "Recorder":
        with storage_errors(self._directory.metrics):
            self._metrics = self.enter_context(self._directory.metrics.open("a", encoding="utf-8"))
        return self

    def __call__(self, event: Event) -> None:
        match event:
            case StepLogged(record=record) | Validated(record=record):
                self._append(record)
            case Sampled(step=step, texts=texts, samples=samples):
                make_directory(self._directory.samples)
                if samples:
                    write_samples(self._directory.sample_tokens_at(step), samples)
                write_text_atomically(self._directory.sample_at(step), SAMPLE_RULE.join(texts) + "\n")
            case RunFinished(result=result):
                write_json_record(self._directory.result, result)
            case _:
                pass

    def _append(self, record: TrainRecord | ValidationRecord) -> None:
        with storage_errors(self._directory.metrics):
            self._metrics.write(json.dumps(asdict(record)) + "\n")
            self._metrics.flush()
