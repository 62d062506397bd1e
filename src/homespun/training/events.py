"""Events that the training loop sends to its listener: recorder and console write and print, the loop does neither."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from homespun.records import RunResult, TrainRecord, ValidationRecord
from homespun.samples import TextSample


@dataclass(frozen=True, kw_only=True)
class StepTaken:
    """One optimizer step is done; sent after each."""

    step: int
    loss: float
    tokens_per_second: float


@dataclass(frozen=True, kw_only=True)
class StepLogged:
    """A step whose record belongs in metrics.jsonl; sent every `logging.log_every` steps and after the last."""

    record: TrainRecord


@dataclass(frozen=True, kw_only=True)
class Validated:
    """Held-out text has been scored."""

    record: ValidationRecord


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The model has continued the recipe's prompts."""

    step: int
    texts: list[str]
    """One per prompt, the prompt included."""
    samples: list[TextSample] = field(default_factory=list)
    """The same texts token by token; empty where they are not known."""


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved:
    """A checkpoint is on disk, verified and complete."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """The last step is done, the whole validation set scored."""

    result: RunResult


Event = StepTaken | StepLogged | Validated | Sampled | CheckpointSaved | RunFinished
Listener = Callable[[Event], None]
