"""Load a trained run: weights, tokenizer and config, without optimizer or data."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from homespun.checkpoint.checkpoint import load_model
from homespun.errors import ConfigError, MissingFileError
from homespun.files import sha256_of_file
from homespun.model.transformer import TransformerLM
from homespun.recipe.config import Device, RunConfig
from homespun.recipe.load import load_recipe
from homespun.records import ChangeRecord, RunDirectory
from homespun.runs.claim import record_changes
from homespun.runs.device import choose_device
from homespun.tokenizer.tokenizer import Tokenizer

BEST = "best"
"""Names a run's best checkpoint where a file could be named."""


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """A run's model with its tokenizer and config."""

    directory: RunDirectory
    config: RunConfig
    model: TransformerLM
    tokenizer: Tokenizer
    step: int
    """Optimizer steps that the weights were trained for."""
    device: str
    """Where the model is."""

    def __repr__(self) -> str:
        num_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        return (
            f"TrainedRun({str(self.directory.root)!r}, step={self.step}, {num_parameters:,} parameters, "
            f"{len(self.tokenizer.vocab):,} tokens, device={self.device!r})"
        )


def load_run(
    root: str | PathLike[str], checkpoint: str | PathLike[str] | None = None, device: Device = "auto"
) -> TrainedRun:
    """Load the model of the run at `root`; the directory may have been moved or copied here.

    Args:
        root: A run directory.
        checkpoint: One of its checkpoints; None for the latest, "best" for the one with the lowest validation loss.
        device: Where to put the model.

    Raises:
        MissingFileError: there is no run, or it has no such checkpoint yet.
        CheckpointError: the checkpoint is damaged.
        RunError: the best is asked for, and the run's records are damaged.
        ConfigError: the device is not there.
    """
    directory = RunDirectory(Path(root))
    directory.check_exists()
    config = load_recipe(directory.recipe)
    chosen = choose_device(device).value
    model = TransformerLM(config.model)
    step = load_model(_find_checkpoint(directory, checkpoint), model)
    tokenizer = Tokenizer.load(directory.tokenizer)
    return TrainedRun(
        directory=directory, config=config, model=model.to(chosen), tokenizer=tokenizer, step=step, device=chosen
    )


def begin_with_weights(directory: RunDirectory, config: RunConfig, model: TransformerLM, tokenizer: Tokenizer) -> str:
    """Load the latest weights of the run `config.training.from_run` into `model`, and record which they are.

    Returns:
        A log line about them.

    Raises:
        MissingFileError: there is no such run, or it has no checkpoint.
        CheckpointError: its checkpoint is damaged, or of a model of another shape.
        ConfigError: it has another tokenizer, so that its ids mean other text.
    """
    assert config.training.from_run is not None
    source = RunDirectory(Path(config.training.from_run))
    source.check_exists()
    if Tokenizer.load(source.tokenizer).fingerprint != tokenizer.fingerprint:
        raise ConfigError(
            f"training.from_run = {source.root}: that run has another tokenizer than data.tokenizer = "
            f"{config.data.tokenizer}; make this run's data with {source.tokenizer}"
        )
    checkpoint = _latest_checkpoint(source)
    load_model(checkpoint, model)
    found = f"{checkpoint}, sha256 {sha256_of_file(checkpoint)}"
    record_changes(directory, [ChangeRecord(step=0, key="weights", before=f"seed {config.seed}", after=found)])
    return f"weights from {found}"


def _find_checkpoint(directory: RunDirectory, checkpoint: str | PathLike[str] | None) -> Path:
    if checkpoint is None:
        return _latest_checkpoint(directory)
    if checkpoint != BEST:
        return Path(checkpoint)
    best = directory.best_checkpoint()
    if best is None:
        raise MissingFileError(
            f"{directory.root}: no checkpoint of this run has been validated; logging.validation_every and "
            "logging.checkpoint_every have no step in common yet; leave --checkpoint out for the latest"
        )
    return best


def _latest_checkpoint(directory: RunDirectory) -> Path:
    checkpoints = directory.list_checkpoints()
    if not checkpoints:
        raise MissingFileError(f"{directory.root}: this run has no checkpoint yet; train it with `homespun train`")
    return checkpoints[-1]
