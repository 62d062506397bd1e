"""A run in progress: its directory, and everything that a checkpoint saves and restores. No tensor is touched here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from homespun.accounting.totals import count_parameters, training_flops
from homespun.checkpoint.checkpoint import Checkpoint, CheckpointContent
from homespun.data.sampler import WindowSampler
from homespun.errors import CheckpointError, DamagedCheckpointError, RunError, StorageError, TrainingError
from homespun.evaluation.evaluate import evaluate_dataset
from homespun.files import atomic_path, make_directory, storage_errors, sync_directory, sync_file
from homespun.generation.generate import generate_ids
from homespun.generation.sampling import Sampling
from homespun.generation.surprise import measure_surprise, texts_of_tokens
from homespun.locks import hold_lock
from homespun.recipe.config import RunConfig
from homespun.recipe.data import Fingerprints, RunData, open_data
from homespun.records import RunDirectory, ValidationRecord, best_step, step_of, write_json_record
from homespun.runs.claim import claim_run_directory, cut_metrics
from homespun.runs.device import check_memory, compute_threads, resolve
from homespun.runs.disk import check_disk
from homespun.runs.load import begin_with_weights
from homespun.samples import TextSample
from homespun.seeding import derive_seed
from homespun.training.engine import Engine, StepOutcome
from homespun.training.environment import describe_computation, keep_environment, record_session
from homespun.training.meter import Meter, MeterState
from homespun.training.replay import Failure, keep_failure
from homespun.training.rng import RngState, seed_generators, undisturbed_rng
from homespun.training.tracking.trackers import check_trackers
from homespun.training.writer import CheckpointWriter
from homespun.typed_json import build_from_json


@dataclass(frozen=True, kw_only=True)
class RunState:
    """The state of a run in a checkpoint, except model and optimizer."""

    samples_consumed: int
    """Training windows consumed: the position in the data."""
    rng: RngState
    meter: MeterState
    data: Fingerprints

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "RunState":
        """Read the state of a checkpoint that `Run.save` wrote.

        Raises:
            CheckpointError: a key or a value is not valid.
        """
        try:
            state: RunState = build_from_json(cls, checkpoint.state, allow_defaults=True)
            state.rng.check()
            state.meter.check()
        except ValueError as error:
            raise CheckpointError(
                f"{checkpoint.where}: its state is not what a run needs to resume: {error}; delete it and use the "
                "checkpoint before it"
            ) from error
        return state


@dataclass(kw_only=True)
class Run:
    """One run in progress; `open_run` builds it, `homespun.training.loop.train` drives it."""

    config: RunConfig
    """Resolved: no "auto" is left in it."""
    directory: RunDirectory
    data: RunData
    sampler: WindowSampler
    engine: Engine
    meter: Meter
    explanation: list[str]
    """What was chosen for this machine and why, one line per choice."""
    validations: list[ValidationRecord] = field(default_factory=list)
    """All of the run so far: they decide which checkpoint is the best."""
    writer: CheckpointWriter = field(default_factory=CheckpointWriter)
    steps_done: int = 0
    samples_consumed: int = 0

    @property
    def num_parameters(self) -> int:
        """Trained parameters, a tied table counted once."""
        return count_parameters(self.config.model)

    def take_step(self) -> StepOutcome:
        """Train on the next batch.

        Raises:
            TrainingError: loss or gradients are not finite; nothing was updated, and the step is kept for `replay`.
        """
        batch_size = self.config.training.batch_size
        batch = self.sampler.batch(self.samples_consumed, batch_size)
        try:
            outcome = self.engine.step(self.steps_done, *batch)
        except TrainingError as error:
            self._keep_failure(str(error), batch)
            raise
        self.steps_done += 1
        self.samples_consumed += batch_size
        return outcome

    def _keep_failure(self, message: str, batch: tuple[np.ndarray, np.ndarray]) -> None:
        try:
            keep_failure(self.directory, Failure(step=self.steps_done, message=message), self.engine, *batch)
        except StorageError as error:
            raise TrainingError(f"{message}. The step could not be kept for a replay: {error}") from error

    def validate(self, *, whole: bool) -> ValidationRecord:
        """Score the validation set, or the head of it that the recipe names."""
        with undisturbed_rng():
            evaluation = evaluate_dataset(
                self.engine.model,
                self.data.valid,
                context_length=self.config.model.context_length,
                batch_size=self.config.execution.micro_batch,
                max_tokens=None if whole else self.config.logging.validation_tokens,
                precision_context=self.engine.autocast,
            )
        record = self.meter.record_validation(self.steps_done, evaluation)
        self.validations.append(record)
        return record

    def sample(self) -> list[TextSample]:
        """Continue the recipe's prompts; the same step always gives the same text."""
        settings, model, tokenizer = self.config.logging.sampling, self.engine.model, self.data.tokenizer
        with undisturbed_rng(), self.engine.autocast():
            prompts_ids, streams = generate_ids(
                model,
                tokenizer,
                settings.prompts,
                settings.max_new_tokens,
                Sampling(temperature=settings.temperature, top_p=settings.top_p),
                seeds=[
                    derive_seed(self.config.seed, f"sample {index} after step {self.steps_done}")
                    for index in range(len(settings.prompts))
                ],
                separator=self.config.source.separator,
                document_start=True,
            )
            # In turn: all texts take a step together.
            rounds = [*zip_longest(*streams)]
            samples = []
            for index, prompt_ids in enumerate(prompts_ids):
                new_ids = [ids[index] for ids in rounds if ids[index] is not None]
                # The first id is the separator's, which is no text.
                prompt_texts = texts_of_tokens(tokenizer, prompt_ids[1:])
                samples.append(
                    TextSample(
                        num_prompt_tokens=len(prompt_texts),
                        tokens=prompt_texts + texts_of_tokens(tokenizer, new_ids),
                        nats=measure_surprise(model, prompt_ids + new_ids),
                    )
                )
        return samples

    def begin_save(self) -> None:
        """Begin to write a checkpoint of this moment in the background.

        Raises:
            StorageError: the disk refused the checkpoint before this one; the older ones are still there.
        """
        state = RunState(
            samples_consumed=self.samples_consumed,
            rng=RngState.now(),
            meter=self.meter.state(),
            data=self.data.fingerprints(),
        )
        make_directory(self.directory.checkpoints)
        content = CheckpointContent.of(
            self.engine.model, self.engine.optimizer, self.steps_done, json.loads(json.dumps(asdict(state)))
        )
        self.writer.begin(content, self.directory.checkpoint_at(self.steps_done), self._keep_records)

    def finish_saves(self, *, wait: bool) -> list[Path]:
        """Return the checkpoints that have been written since the last call, once older ones have been removed.

        Args:
            wait: For those that are being written.

        Raises:
            StorageError: the disk is full or refuses; the older checkpoints are still there.
        """
        written = self.writer.take_written(wait=wait)
        if written:
            self.remove_old_checkpoints()
        return written

    def _keep_records(self) -> None:
        """Have the disk keep the records of all steps before a checkpoint appears."""
        with storage_errors(self.directory.metrics):
            if self.directory.metrics.exists():
                sync_file(self.directory.metrics)
                sync_directory(self.directory.root)

    def remove_old_checkpoints(self) -> None:
        """Keep the latest `logging.keep_checkpoints` checkpoints, the best, and those of `logging.pin_checkpoints`.

        No file names the best: a validation is recorded before the checkpoint of its step is saved, so the records and
        the checkpoints that are there determine it after a kill too.
        """
        checkpoints = self.directory.list_checkpoints()
        kept = {best_step(self.validations, {step_of(path) for path in checkpoints})}
        kept |= {*self.config.logging.pin_checkpoints}
        with storage_errors(self.directory.checkpoints):
            for old in checkpoints[: -self.config.logging.keep_checkpoints]:
                if step_of(old) not in kept:
                    old.unlink()

    def restore_latest(self) -> bool:
        """Restore the run from the newest checkpoint that is intact; return whether there is one.

        Newer ones that are damaged are renamed, and `explanation` tells of each.

        Raises:
            DamagedCheckpointError: none is intact; nothing was changed.
            CheckpointError, RunError: as `restore`.
        """
        damaged: list[tuple[Path, DamagedCheckpointError]] = []
        for path in reversed(self.directory.list_checkpoints()):
            try:
                checkpoint = Checkpoint.open(path)
            except DamagedCheckpointError as error:
                damaged.append((path, error))
                continue
            self.restore(checkpoint)
            for bad, error in damaged:
                aside = bad.with_name(f"{bad.name}.damaged")
                with storage_errors(bad):
                    bad.replace(aside)
                self.explanation.append(f"warning: {error}: set aside as {aside.name}; resuming from {path.name}")
            if damaged:
                # Their steps are repeated.
                cut_metrics(self.directory, self.steps_done)
            return True
        if damaged:
            raise damaged[0][1]
        return False

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore everything as it was when `checkpoint` was saved, or change nothing.

        Raises:
            CheckpointError: it is not a checkpoint of this run.
            RunError: the data are not those the run began with.
        """
        state = RunState.of(checkpoint)
        found, expected = asdict(self.data.fingerprints()), asdict(state.data)
        changed = ", ".join(f"data.{name}" for name in found if found[name] != expected[name])
        if changed:
            raise RunError(
                f"{self.directory.root}: {changed} changed since the run began, so it cannot resume as the same run; "
                "restore the data or start a new run with another --name"
            )
        self.steps_done = checkpoint.load_into(self.engine.model, self.engine.optimizer)
        self.samples_consumed = state.samples_consumed
        self.validations = self.directory.read_validations()
        self.meter.restore(state.meter)
        # Last: whatever is built or loaded above may draw from a generator.
        state.rng.restore()


@contextmanager
def open_run(config: RunConfig, root: Path) -> Iterator[Run]:
    """Begin the run that `config` describes at `root`, or resume it from its newest checkpoint.

    The directory is locked against other processes until the block ends.

    Raises:
        BusyError: another process is writing to the run directory.
        MissingPackageError: a tracker that the recipe names is not installed.
        ConfigError: the recipe asks for a device that is not there, a context longer than the data, or more checkpoints
            than the disk has room for.
        RunError: the directory has another run, a finished one, or no run; or the run's data have changed.
        MissingFileError: tokenizer or token data sets are not there yet.
        DataError: they do not belong together.
        DamagedCheckpointError: there are checkpoints, and none is intact.
        CheckpointError: they are not of this run.
        StorageError: the run directory cannot be written to.
    """
    check_trackers(config.logging.track)
    config, device, precision = resolve(config)
    check_memory(config)
    # Before the directory is claimed, so that a run without data writes nothing.
    data = open_data(config)
    sampler = WindowSampler(data.train, config.model.context_length, derive_seed(config.seed, "data"))
    execution = config.execution
    threads = compute_threads(execution.device, execution.precision, execution.threads, compiles=execution.compile)
    with hold_lock(root), threads as num_threads:
        directory, changes = claim_run_directory(root, config)
        check_disk(config, directory)
        peak = keep_environment(directory, device, precision)
        seed_generators(config.seed)
        run = Run(
            config=config,
            directory=directory,
            data=data,
            sampler=sampler,
            engine=Engine.build(config),
            meter=Meter(
                tokens_per_step=config.tokens_per_step,
                flops_per_token=training_flops(config.model, config.model.context_length) / config.model.context_length,
                peak_flops=peak.flops,
            ),
            explanation=[
                f"device {device}",
                f"precision {precision}",
                f"peak {peak}",
                f"threads {num_threads}",
                *(f"changed {change.key}: {change.before} -> {change.after}" for change in changes),
            ],
        )
        if run.restore_latest():
            # A kill between saving a checkpoint and removing an older one leaves both.
            run.remove_old_checkpoints()
        elif config.training.from_run is not None:
            run.explanation.append(begin_with_weights(directory, config, run.engine.model, data.tokenizer))
        # After restoring, which refuses data that have changed.
        _keep_data(directory, data)
        run.explanation.append(
            f"session {record_session(directory, run.steps_done, describe_computation(device.value, precision.value))}"
        )
        try:
            yield run
        finally:
            run.writer.close()


def _keep_data(directory: RunDirectory, data: RunData) -> None:
    """Copy into the run directory what its readers need of the data: the tokenizer and the exact entropy."""
    if not directory.tokenizer.exists():
        with atomic_path(directory.tokenizer) as temporary:
            data.tokenizer.save(temporary)
    if data.entropy is not None and not directory.entropy.exists():
        write_json_record(directory.entropy, data.entropy)
