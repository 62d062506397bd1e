"""What `homespun report --check` does: score checkpoints again and compare with the recorded losses."""

from collections.abc import Sequence
from pathlib import Path

EXIT_BROKEN = 1


def check_runs(runs: Sequence[Path], data: str | None) -> int:
    """Print a line for each recorded loss of the runs' latest and best checkpoints; return 1 if one does not hold."""
    # Imported here: a report does not wait for torch.
    from homespun.training.check_loss import check_losses

    all_hold = True
    for run in runs:
        for check in check_losses(run, data):
            print(f"{run}, {check}", flush=True)
            all_hold &= check.holds
    print("every recorded loss holds" if all_hold else "a recorded loss does not hold")
    return 0 if all_hold else EXIT_BROKEN
