"""A run's model as its users need it: weights, tokenizer and config, without optimizer or data."""

from dataclasses import dataclass
from pathlib import Path

from homespun.checkpoint.checkpoint import load_model
from homespun.errors import MissingFileError
from homespun.model.transformer import TransformerLM
from homespun.recipe.config import Device, RunConfig
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory
from homespun.runs.device import choose_device
from homespun.tokenizer.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """What a run has come to."""

    directory: RunDirectory
    config: RunConfig
    model: TransformerLM
    tokenizer: Tokenizer
    step: int
    """Optimizer steps behind the weights."""
    device: str
    """Where the model is."""


def load_run(root: Path, checkpoint: Path | None = None, device: Device = "auto") -> TrainedRun:
    """Load the model of the run at `root`; the directory may have been moved or copied here.

    Args:
        root: A run directory.
        checkpoint: One of its checkpoints; None for the newest.
        device: Where to put the model.

    Raises:
        MissingFileError: there is no run, or it has no checkpoint yet.
        CheckpointError: the checkpoint is damaged.
        ConfigError: the device is not there.
    """
    directory = RunDirectory(root)
    directory.check_exists()
    config = load_recipe(directory.recipe)
    chosen = choose_device(device).value
    if checkpoint is None:
        checkpoints = directory.list_checkpoints()
        if not checkpoints:
            raise MissingFileError(f"{root}: this run has no checkpoint yet; train it further with `homespun train`")
        checkpoint = checkpoints[-1]
    model = TransformerLM(config.model)
    step = load_model(checkpoint, model)
    tokenizer = Tokenizer.load(directory.tokenizer)
    return TrainedRun(
        directory=directory, config=config, model=model.to(chosen), tokenizer=tokenizer, step=step, device=chosen
    )
