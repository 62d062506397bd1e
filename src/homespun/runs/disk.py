"""Whether a run's checkpoints fit on its disk, known before the first step."""

import shutil

from homespun.accounting.totals import training_memory
from homespun.errors import ConfigError
from homespun.recipe.config import RunConfig
from homespun.records import RunDirectory, step_of


def check_disk(config: RunConfig, directory: RunDirectory) -> None:
    """Refuse a run whose checkpoints the disk has no room for.

    At most there are those of `logging.keep_checkpoints`, the best, the pinned ones, and one that is being written.

    Raises:
        ConfigError: less is free than those that are not there yet take.
    """
    logging = config.logging
    there = {step_of(path) for path in directory.list_checkpoints()}
    pinned = {step for step in logging.pin_checkpoints if step <= config.training.num_steps}
    # A new file beside all that is kept: what is there already is not written again.
    most = logging.keep_checkpoints + 2 + len(pinned)
    needed = max(1, most - len(there)) * checkpoint_bytes(config)
    folder = next(path for path in (directory.root, *directory.root.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigError(
            f"{directory.root}: {most} checkpoints of {checkpoint_bytes(config) / 2**30:,.2f} GiB need "
            f"{needed / 2**30:,.2f} GiB more on this disk, which has {free / 2**30:,.2f} GiB free; free some, choose "
            f"another --out, or keep fewer (logging.keep_checkpoints = {logging.keep_checkpoints}, "
            f"{len(pinned)} in logging.pin_checkpoints)"
        )


def checkpoint_bytes(config: RunConfig) -> int:
    """Return the bytes of the tensors in one checkpoint: weights and optimizer state, in float32."""
    memory = training_memory(config.model, config.model.context_length, config.optim)
    return memory.fixed["parameters"] + memory.fixed["optimizer state"]
