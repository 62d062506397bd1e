"""A run is its directory: the same recipe goes on where it stopped, another one is refused."""

from pathlib import Path

from homespun.errors import RunError
from homespun.files import make_directory, write_text_atomically
from homespun.locks import LOCK_NAME
from homespun.recipe.config import RunConfig
from homespun.recipe.load import differing_keys, load_recipe, save_recipe
from homespun.records import RunDirectory

_MAX_KEYS_NAMED = 4


def claim_run_directory(root: Path, config: RunConfig) -> RunDirectory:
    """The directory of the run that `config` describes, at `root`: made, or found to be the same run's.

    Args:
        root: Where the run lives.
        config: Resolved: no "auto" is left in it.

    Raises:
        RunError: the directory holds another run, a finished one, or something that is no run.
        StorageError: it cannot be made.
    """
    directory = RunDirectory(root)
    if directory.recipe.exists():
        _check_same_run(directory, config)
        return directory
    make_directory(root)
    if any(path.name != LOCK_NAME for path in root.iterdir()):
        raise RunError(
            f"{root}: is not empty and holds no run (it has no recipe.yaml); choose another directory with --out"
        )
    write_text_atomically(directory.recipe, save_recipe(config))
    return directory


def _check_same_run(directory: RunDirectory, config: RunConfig) -> None:
    differing = differing_keys(load_recipe(directory.recipe), config)
    if differing:
        told = [f"{key} (there {was!r}, asked {asked!r})" for key, (was, asked) in differing.items()]
        more = f" and {len(told) - _MAX_KEYS_NAMED} more" if len(told) > _MAX_KEYS_NAMED else ""
        raise RunError(
            f"{directory.root}: holds a run of another recipe, which differs in "
            f"{', '.join(told[:_MAX_KEYS_NAMED])}{more}; "
            "give this one another --name or --out, or restore those values to go on with that one"
        )
    if directory.result.exists():
        raise RunError(
            f"{directory.root}: this run has finished; `homespun report {directory.root}` shows it; "
            "give a new one another --name or --out"
        )
