"""Translate a run's events into the names that users of experiment trackers expect."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from types import TracebackType
from typing import Protocol, runtime_checkable

from homespun.errors import MissingPackageError
from homespun.files import storage_errors
from homespun.recipe.config import RunConfig, Tracker
from homespun.records import RunDirectory, RunResult, TrainRecord, ValidationRecord, step_of
from homespun.training.events import CheckpointSaved, Event, RunFinished, Sampled, StepLogged, Validated
from homespun.training.recorder import SAMPLE_RULE

_MAX_BUCKETS = 10_000
"""Of a longer history, a tracker that is switched on later gets the records that a curve needs."""


@runtime_checkable
class Writer(Protocol):
    """The files of one tracker in a run directory."""

    explanation: str
    """What is written where, and how to see it; a line."""

    first_step: int
    """The first step that is not in the tracker's files yet."""

    def write_figures(self, step: int, figures: Mapping[str, float]) -> None: ...

    def write_texts(self, step: int, texts: Sequence[str]) -> None:
        """Write the samples of a step."""
        ...

    def write_result(self, figures: Mapping[str, float]) -> None:
        """Write the figures that stand for the whole run."""
        ...

    def flush(self) -> None: ...

    def close(self, *, failed: bool) -> None: ...


class Trackers(ExitStack):
    """A listener that writes to every tracker in `logging.track` while it is open; use it in a `with` block.

    What a run recorded before its tracker was switched on, or what the tracker lost in a kill, is written first, from
    `metrics.jsonl` and the samples: so `Trackers` is opened after `open_run`, which has removed the records that
    will be repeated.

    Args:
        directory: The run's.
        config: The run's, resolved.
        steps_done: Steps that the run has behind it.
    """

    def __init__(self, directory: RunDirectory, config: RunConfig, steps_done: int) -> None:
        super().__init__()
        self._directory = directory
        self._config = config
        self._steps_done = steps_done
        self._writers: list[Writer] = []
        self._has_head = False

    @property
    def explanation(self) -> list[str]:
        """What each tracker writes where; a line each."""
        return [writer.explanation for writer in self._writers]

    def __enter__(self) -> "Trackers":
        with ExitStack() as opened:
            for tracker in self._config.logging.track:
                writer = open_writer(tracker, self._directory, self._config, self._steps_done)
                opened.push(_Closing(writer))
                self._writers.append(writer)
            if self._writers:
                for step, event in self._list_history():
                    self._send(event, [writer for writer in self._writers if writer.first_step <= step])
            self.push(opened.pop_all())
        return self

    def __call__(self, event: Event) -> None:
        self._send(event, self._writers)

    def _send(self, event: Event, writers: Sequence[Writer]) -> None:
        match event:
            case StepLogged(record=record):
                figures = name_training_figures(record)
                for writer in writers:
                    writer.write_figures(record.step, figures)
            case Validated(record=record):
                # The whole set's loss is another curve than the head's, which it would end in a jump.
                self._has_head = self._has_head or not record.whole
                figures = name_validation_figures(record, "val_whole" if record.whole and self._has_head else "val")
                for writer in writers:
                    writer.write_figures(record.step, figures)
            case Sampled(step=step, texts=texts):
                for writer in writers:
                    writer.write_texts(step, texts)
            case CheckpointSaved():
                # As in metrics.jsonl, what came before a checkpoint is on disk.
                for writer in writers:
                    writer.flush()
            case RunFinished(result=result):
                for writer in writers:
                    writer.write_result(name_result_figures(result))
            case _:
                pass

    def _list_history(self) -> list[tuple[int, Event]]:
        """Return what the run directory has up to the step where the run resumes, in the order of steps."""
        events: list[tuple[int, Event]] = []
        for record in self._directory.iter_metrics(_MAX_BUCKETS):
            if isinstance(record, TrainRecord):
                events.append((record.step, StepLogged(record=record)))
            elif isinstance(record, ValidationRecord):
                events.append((record.step, Validated(record=record)))
        for path in self._directory.list_samples():
            if step_of(path) <= self._steps_done:
                with storage_errors(path):
                    text = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
                events.append((step_of(path), Sampled(step=step_of(path), texts=text.split(SAMPLE_RULE))))
        return sorted(events, key=lambda event: event[0])


class _Closing:
    """Closes a writer, and says whether an exception ended the run."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __enter__(self) -> Writer:
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._writer.close(failed=kind is not None)


def check_trackers(trackers: Sequence[Tracker]) -> None:
    """Refuse a tracker whose package is not installed.

    Raises:
        MissingPackageError: the message says how to install it.
    """
    for tracker in trackers:
        if find_spec(tracker) is None:
            missing = MissingPackageError.for_import(ImportError(name=tracker), f"logging.track = [{tracker}]")
            assert missing is not None, "every tracker is in an extra"
            raise missing


def open_writer(tracker: Tracker, directory: RunDirectory, config: RunConfig, steps_done: int) -> Writer:
    """Begin or continue a tracker's files in the run directory."""
    # Imported here: a tracker's package takes a second to load, and need not be installed.
    if tracker == "tensorboard":
        from homespun.training.tracking.tensorboard import TensorBoardWriter

        return TensorBoardWriter(directory, config, steps_done)
    from homespun.training.tracking.wandb import WandbWriter

    return WandbWriter(directory, config, os.environ)


def name_training_figures(record: TrainRecord) -> dict[str, float]:
    """Return the figures of a training record by their names in a tracker."""
    figures: dict[str, float] = {
        "train/loss": record.loss,
        "train/lr": record.lr,
        "train/grad_norm": record.grad_norm,
        **{f"train/grad_norm/{component}": norm for component, norm in record.grad_norms.items()},
        "train/tokens_per_second": record.tokens_per_second,
        "train/mfu": record.mfu,
        "train/tokens": record.tokens,
        "train/seconds": record.seconds,
    }
    if record.memory_bytes:
        figures["train/memory_bytes"] = record.memory_bytes
    return figures


def name_validation_figures(record: ValidationRecord, prefix: str) -> dict[str, float]:
    """Return the figures of a validation by their names in a tracker."""
    return {
        f"{prefix}/loss": record.loss,
        f"{prefix}/perplexity": record.perplexity,
        f"{prefix}/bits_per_byte": record.bits_per_byte,
        f"{prefix}/tokens": record.tokens,
    }


def name_result_figures(result: RunResult) -> dict[str, float]:
    """Return how a run ended by the names in a tracker."""
    return {
        "final/train_loss": result.train_loss,
        "final/val_loss": result.validation.loss,
        "final/val_bits_per_byte": result.validation.bits_per_byte,
        "final/tokens_per_second": result.tokens_per_second,
        "final/parameters": result.num_parameters,
        "final/seconds": result.seconds,
    }
