"""`homespun check-resume`: check that a recipe trains to the same bits on this machine, interrupted or not."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from homespun.cli.parsing import parse_positive
from homespun.cli.recipes import RecipeParser

EXIT_BROKEN = 1
_NUM_STEPS = 12

_DESCRIPTION = """\
Train the first steps of a recipe several times in temporary directories and compare each run with the first to the
bit: weights, optimizer state, position in the data, random state, losses. The runs are stopped and resumed, killed at
random moments and resumed, and computed with other micro-batches and other numbers of threads. Each is a line; where
bits differ, it names the first step and the first tensor. `homespun prepare` makes the data first. The environment
variable TMPDIR names a disk with room for five checkpoints.

The exit code is 0 if no bit differs that homespun promises, 1 if one does, and 2 for bad input.

examples:
  homespun check-resume recipes/demo.yaml
  homespun check-resume recipes/tinystories-short.yaml --steps 6 --execution.precision float32"""


def main(arguments: list[str]) -> int:
    """Check, and print a line for each variant."""
    parser = RecipeParser("homespun check-resume", _DESCRIPTION)
    parser.add_argument(
        "--steps", type=parse_positive, default=_NUM_STEPS, metavar="N", help=f"steps to train (default: {_NUM_STEPS})"
    )
    parsed = parser.parse_recipe(arguments)
    if parsed is None:
        return 0
    config, own = parsed
    # Imported here: `homespun check-resume --help` does not wait for torch.
    from homespun.cli.progress import progress_bar
    from homespun.training.check_resume import ResumeCheck

    began = time.monotonic()
    with TemporaryDirectory(prefix="homespun-check-resume-") as folder:
        check = ResumeCheck(config, own.steps, Path(folder))
        print(f"{arguments[0]}: the first {own.steps:,} of {config.training.num_steps:,} steps")
        for line in check.explanation:
            print(line)
        with progress_bar("uninterrupted", "steps") as progress:
            check.train_expected(progress)
        outcomes = []
        for variant in check.variants:
            with progress_bar(variant.name, "steps") as progress:
                outcomes.append(check.check(variant, progress))
            print(outcomes[-1], flush=True)
    same = sum(outcome.difference is None for outcome in outcomes)
    broken = sum(outcome.breaks_promise for outcome in outcomes)
    print(
        f"{same} of {len(outcomes)} variants have the same bits as the uninterrupted run; promises broken: {broken}; "
        f"{time.monotonic() - began:.0f} seconds"
    )
    return EXIT_BROKEN if broken else 0
