"""Everything one run needs, built from its recipe and brought to where its newest checkpoint stood."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import torch
from torch.optim import Optimizer

from homespun.accounting.totals import count_parameters, training_flops
from homespun.checkpoint.checkpoint import load_checkpoint, read_state, save_checkpoint
from homespun.data.sampler import WindowSampler
from homespun.errors import CheckpointError, RunError
from homespun.evaluation.evaluate import Evaluation, evaluate_dataset
from homespun.files import make_directory, storage_errors
from homespun.generation.generate import END_OF_TEXT, decode
from homespun.locks import hold
from homespun.model.transformer import TrainingLoss, TransformerLM
from homespun.optim.build import build_optimizer
from homespun.recipe.config import RunConfig
from homespun.records import RunDirectory, write_json_record
from homespun.runs.claim import claim_run_directory
from homespun.runs.device import autocast, resolve
from homespun.seeding import derive_seed
from homespun.training.data import RunData, open_data
from homespun.training.environment import keep_environment
from homespun.training.meter import Meter
from homespun.training.recorder import cut_metrics
from homespun.training.rng import restore_rng_state, rng_state, undisturbed_rng
from homespun.training.step import LossFunction, StepOutcome, take_step


@dataclass(kw_only=True)
class Session:
    """One run in progress; `open_session` makes it, `homespun.training.loop.train` drives it.

    Its directory is held against other processes until the session's `with` block ends.
    """

    config: RunConfig
    """Resolved: no "auto" is left in it."""
    directory: RunDirectory
    data: RunData
    sampler: WindowSampler
    model: TransformerLM
    loss_function: LossFunction
    optimizer: Optimizer
    meter: Meter
    steps_done: int
    explanation: list[str]
    """What was chosen for this machine and why, a line each."""
    closing: ExitStack = field(default_factory=ExitStack)
    """What ends with it: the hold on its directory."""

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.close()

    @property
    def num_parameters(self) -> int:
        """Trained numbers, a tied table once."""
        return count_parameters(self.config.model)

    def take_step(self, step: int, lr: float) -> StepOutcome:
        """Train on the batch of optimizer step `step`.

        Raises:
            TrainingError: loss or gradients are not finite; nothing was updated.
        """
        plan, execution = self.config.training, self.config.execution
        inputs, targets = self.sampler.batch(step * plan.batch_size, plan.batch_size)
        return take_step(
            self.model,
            self.optimizer,
            self.loss_function,
            torch.from_numpy(inputs).to(execution.device),
            torch.from_numpy(targets).to(execution.device),
            step=step,
            lr=lr,
            micro_batch=execution.micro_batch,
            max_grad_norm=self.config.optim.max_grad_norm,
            precision_context=self._precision_context,
        )

    def validate(self, *, whole: bool) -> Evaluation:
        """Score the validation set, or the head of it that the recipe names."""
        with undisturbed_rng():
            return evaluate_dataset(
                self.model,
                self.data.valid,
                context_length=self.config.model.context_length,
                batch_size=self.config.execution.micro_batch,
                max_tokens=None if whole else self.config.logging.validation_tokens,
                precision_context=self._precision_context,
            )

    def sample(self, step: int) -> list[str]:
        """Continue the recipe's prompts; after the same step always alike."""
        sampling = self.config.logging.sampling
        with undisturbed_rng(), self._precision_context():
            return [
                prompt
                + decode(
                    self.model,
                    self.data.tokenizer,
                    prompt,
                    sampling.max_new_tokens,
                    sampling.temperature,
                    sampling.top_p,
                    seed=derive_seed(self.config.seed, f"sample {index} after step {step}"),
                    document_start=END_OF_TEXT in self.data.tokenizer.special_tokens,
                )
                for index, prompt in enumerate(sampling.prompts)
            ]

    def save(self, step: int) -> Path:
        """Save a checkpoint after `step` steps, remove those that are too many, and return the new one's path.

        Raises:
            StorageError: the disk is full or refuses; the older checkpoints are still there.
        """
        path = self.directory.checkpoint_at(step)
        state = {
            "samples_consumed": step * self.config.training.batch_size,
            "rng": rng_state(),
            "meter": self.meter.state_dict(),
            "data": self.data.fingerprints(),
        }
        make_directory(self.directory.checkpoints)
        save_checkpoint(self.model, self.optimizer, step, path, state=state)
        with storage_errors(self.directory.checkpoints):
            for old in self.directory.list_checkpoints()[: -self.config.logging.keep_checkpoints]:
                old.unlink()
        return path

    def restore(self, path: Path) -> None:
        """Bring everything to where it stood when the checkpoint at `path` was saved.

        Raises:
            CheckpointError: the file is damaged, or is not a checkpoint of this run.
            RunError: the data are not those the run began with.
        """
        state = read_state(path)
        steps_done = load_checkpoint(path, self.model, self.optimizer)
        try:
            expected = state["data"]
            self.meter.load_state_dict(state["meter"])
            restore_rng_state(state["rng"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: lacks what a run needs to go on ({error!r}); delete it and use the checkpoint before it"
            ) from error
        found = self.data.fingerprints()
        changed = ", ".join(f"data.{name}" for name in found if found[name] != expected.get(name))
        if changed:
            raise RunError(
                f"{self.directory.root}: {changed} changed since the run began, so it cannot go on as the same run; "
                "restore the data or start anew with another --name"
            )
        self.steps_done = steps_done

    def _precision_context(self) -> AbstractContextManager[object]:
        return autocast(self.config.execution.device, self.config.execution.precision)


def open_session(config: RunConfig, root: Path) -> Session:
    """Begin the run that `config` describes at `root`, or take it up where its newest checkpoint stands.

    Raises:
        BusyError: another process is writing to the run directory.
        ConfigError: the recipe asks for a device that is not there, or a context longer than the data.
        RunError: the directory holds another run, a finished one, or no run; or the run's data have changed.
        MissingFileError: tokenizer or token data sets are not there yet.
        DataError: they do not belong together.
        CheckpointError: the newest checkpoint is damaged.
        StorageError: the run directory cannot be written to.
    """
    config, device, precision = resolve(config)
    # Before the directory is claimed: a run whose data are not there leaves nothing behind.
    data = open_data(config)
    sampler = WindowSampler(data.train, config.model.context_length, derive_seed(config.seed, "data"))
    with ExitStack() as stack:
        stack.enter_context(hold(root))
        directory = claim_run_directory(root, config)
        peak = keep_environment(directory, device, precision)
        _keep_data(directory, data)
        model = build_model(config)
        session = Session(
            config=config,
            directory=directory,
            data=data,
            sampler=sampler,
            model=model,
            loss_function=torch.compile(TrainingLoss(model)) if config.execution.compile else TrainingLoss(model),
            optimizer=build_optimizer(model, config.optim),
            meter=Meter(
                tokens_per_step=config.tokens_per_step,
                flops_per_token=training_flops(config.model, config.model.context_length) / config.model.context_length,
                peak_flops=peak.flops,
            ),
            explanation=[f"device {device}", f"precision {precision}", f"peak {peak}"],
            steps_done=0,
        )
        checkpoints = directory.list_checkpoints()
        if checkpoints:
            session.restore(checkpoints[-1])
        cut_metrics(directory, session.steps_done)
        session.closing = stack.pop_all()
    return session


def build_model(config: RunConfig) -> TransformerLM:
    """The model as the run's seed makes it, on the run's device; drawn on the CPU, so alike on every device."""
    torch.manual_seed(derive_seed(config.seed, "init"))
    model = TransformerLM(config.model)
    torch.manual_seed(derive_seed(config.seed, "training"))
    return model.to(config.execution.device)


def _keep_data(directory: RunDirectory, data: RunData) -> None:
    """Put into the run directory what its readers need of the data: the tokenizer and the exact entropy."""
    if not directory.tokenizer.exists():
        data.tokenizer.save(directory.tokenizer)
    if data.entropy is not None and not directory.entropy.exists():
        write_json_record(directory.entropy, data.entropy)
