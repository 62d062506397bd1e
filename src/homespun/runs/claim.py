"""A run directory belongs to one recipe: the same recipe resumes, a different one is refused.

Opening a run can be repeated after a kill at any file operation: files are written whole or not at all, and temporary
files left behind are removed.
"""

import json
from dataclasses import asdict
from pathlib import Path

from homespun.errors import RunError
from homespun.files import make_directory, remove_temporaries, storage_errors, write_text_atomically
from homespun.locks import LOCK_NAME
from homespun.recipe.config import RunConfig
from homespun.recipe.load import differing_keys, load_recipe, save_recipe
from homespun.records import ChangeRecord, RunDirectory, parse_record, step_of

FIXED = ("source", "tokenizer", "data", "model", "optim", "training", "seed")
"""Sections that say what is trained. The others (name, execution, logging) may change when a run resumes."""

_MAX_KEYS_NAMED = 4


def claim_run_directory(root: Path, config: RunConfig) -> tuple[RunDirectory, list[ChangeRecord]]:
    """Make `root` the directory of the run that `config` describes, or check that it is.

    Call it while holding the lock of `root`. Records after the latest checkpoint are removed, since their steps are
    repeated; each setting that changes is recorded before recipe.yaml takes its new value.

    Args:
        root: Where the run lives.
        config: Resolved: no "auto" is left in it.

    Returns:
        The directory, and the settings that differ from those the run had so far.

    Raises:
        RunError: the directory has another run, a finished one, other files, or a link.
        StorageError: it cannot be written.
    """
    directory = RunDirectory(root)
    make_directory(root)
    _check_no_links(directory)
    for folder in (root, directory.checkpoints, directory.samples, directory.tokenizer, directory.failure):
        remove_temporaries(folder)
    is_new = not directory.recipe.exists()
    changes = [] if is_new else _continue(directory, config)
    if is_new and any(path.name != LOCK_NAME for path in root.iterdir()):
        raise RunError(f"{root}: is not empty and has no run (no recipe.yaml); choose another directory with --out")
    if is_new or changes:
        write_text_atomically(directory.recipe, save_recipe(config))
    return directory, changes


def _continue(directory: RunDirectory, config: RunConfig) -> list[ChangeRecord]:
    """Return what `config` changes of the run that is there, once its records allow the run to continue so."""
    recorded = load_recipe(directory.recipe)
    checkpoints = directory.list_checkpoints()
    steps_done = step_of(checkpoints[-1]) if checkpoints else 0
    changes = check_resumable(directory, recorded, config, steps_done)
    cut_metrics(directory, steps_done)
    if changes:
        record_changes(directory, changes)
    # Before recipe.yaml: if a kill left the result behind, the longer run would count as finished.
    if recorded.training.num_steps != config.training.num_steps:
        with storage_errors(directory.result):
            directory.result.unlink(missing_ok=True)
    return changes


def check_resumable(
    directory: RunDirectory, recorded: RunConfig, requested: RunConfig, steps_done: int
) -> list[ChangeRecord]:
    """Check that `requested` continues the run of `recorded` after `steps_done` steps; return what changes.

    Raises:
        RunError: a key under `FIXED` differs, or the run has finished.
    """
    differing = differing_keys(recorded, requested)
    length = differing.get("training.num_steps")
    if length is not None:
        _check_longer(directory, recorded, requested, steps_done)
    fixed = {
        key: values
        for key, values in differing.items()
        if key.partition(".")[0] in FIXED and key != "training.num_steps"
    }
    if fixed:
        named = [f"{key} (recorded {was!r}, requested {now!r})" for key, (was, now) in fixed.items()]
        more = f" and {len(named) - _MAX_KEYS_NAMED} more" if len(named) > _MAX_KEYS_NAMED else ""
        raise RunError(
            f"{directory.root}: holds a run of another recipe, which differs in "
            f"{', '.join(named[:_MAX_KEYS_NAMED])}{more}; "
            "choose another --name or --out for this one, or restore the recorded values to resume that one"
        )
    if directory.result.exists() and length is None:
        raise RunError(
            f"{directory.root}: this run has finished; `homespun report {directory.root}` shows it; "
            "choose another --name or --out for a new one, or train longer with a larger training.num_steps"
        )
    return [
        ChangeRecord(step=steps_done, key=key, before=str(was), after=str(now)) for key, (was, now) in differing.items()
    ]


def _check_longer(directory: RunDirectory, recorded: RunConfig, requested: RunConfig, steps_done: int) -> None:
    """Allow another length only if every step taken so far would have had the same learning rate."""
    before, after = recorded.training.num_steps, requested.training.num_steps
    limit = recorded.optim.num_extendable_steps(before)
    if after > before and steps_done <= limit:
        return
    reason = (
        "it can only grow"
        if after < before
        else f"the schedule of a run of {before:,} steps depends on its length after step {limit:,}, and the latest "
        f"checkpoint is of step {steps_done:,}"
    )
    raise RunError(
        f"{directory.root}: training.num_steps (recorded {before}, requested {after}): {reason}; "
        "choose another --name or --out, or restore the recorded value"
    )


def cut_metrics(directory: RunDirectory, step: int) -> None:
    """Remove from `metrics.jsonl` every record past `step`, and an unfinished last line.

    The steps after a checkpoint are repeated when it is loaded; otherwise they would be recorded twice.

    Raises:
        RunError: a finished line is no record; the message names it, and the file stays as it is.
    """
    if not directory.metrics.exists():
        return
    # Bytes, and line feeds alone: a damaged byte need not be UTF-8, and a record may contain other line ends.
    lines = directory.metrics.read_bytes().split(b"\n")
    unfinished = lines.pop()
    records = [parse_record(line, where=f"{directory.metrics}:{n}") for n, line in enumerate(lines, start=1)]
    kept = [line + b"\n" for line, record in zip(lines, records, strict=True) if record.step <= step]
    if unfinished or len(kept) < len(lines):
        write_text_atomically(directory.metrics, b"".join(kept).decode())


def record_changes(directory: RunDirectory, changes: list[ChangeRecord]) -> None:
    """Append `changes` to metrics.jsonl, atomically, unless they are its last records already."""
    recorded = directory.metrics.read_text(encoding="utf-8") if directory.metrics.exists() else ""
    lines = "".join(json.dumps(asdict(change)) + "\n" for change in changes)
    # They are there already if an earlier attempt was killed before it wrote recipe.yaml.
    if not recorded.endswith(lines):
        write_text_atomically(directory.metrics, recorded + lines)


def _check_no_links(directory: RunDirectory) -> None:
    """Refuse links in place of a run's own files: writing through a link would replace a file elsewhere."""
    names = ("recipe", "environment", "tokenizer", "entropy", "metrics", "checkpoints", "samples", "result", "report")
    names += ("failure", "tensorboard", "wandb")
    for path in (getattr(directory, name) for name in names):
        if path.is_symlink():
            raise RunError(f"{path}: is a link; a run's own files are regular files; remove it or choose another --out")
