"""`homespun find-lr`: ramp the learning rate over a few hundred steps, and suggest one."""

import argparse
from pathlib import Path

from homespun.cli.parsing import parse_positive
from homespun.cli.recipes import RecipeParser

_DESCRIPTION = """\
Train the first steps of a recipe at learning rates that rise from step to step, plot the loss against the rate, and
suggest a peak learning rate: a third of the one at which the smoothed loss is lowest. Says too where training breaks.
`homespun prepare` makes the data first. The rates of optim.groups rise in proportion.

A ramp takes as long as its steps and gives the order of magnitude; `homespun sweep` compares rates by their runs.

example:
  homespun find-lr recipes/demo.yaml --steps 200"""


def _parse_rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def main(arguments: list[str]) -> int:
    """Run the ramp, and print what it shows."""
    parser = RecipeParser("homespun find-lr", _DESCRIPTION)
    parser.add_argument("--steps", type=parse_positive, default=300, metavar="N", help="of the ramp (default: 300)")
    parser.add_argument("--min-lr", type=_parse_rate, default=1e-5, metavar="X", help="the first rate (default: 1e-5)")
    parser.add_argument("--max-lr", type=_parse_rate, default=10.0, metavar="X", help="the last rate (default: 10)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for ramp.json, ramp.svg (default: runs/NAME-find-lr)")
    parsed = parser.parse_recipe(arguments)
    if parsed is None:
        return 0
    config, own = parsed
    # Imported here: `homespun find-lr --help` does not wait for torch.
    from homespun.cli.progress import progress_bar
    from homespun.experiments.find_lr import find_lr, rates_between, write_ramp

    rates = rates_between(own.min_lr, own.max_lr, own.steps)
    with progress_bar("ramp", "steps") as on_progress:
        ramp = find_lr(config, rates, on_progress)
    out = own.out or Path("runs") / f"{config.name}-find-lr"
    names = [*write_ramp(out, ramp, config)]
    lowest, breaks = ramp.lowest, ramp.breaks
    reached = ramp.points[-1].lr
    print(
        f"ramp        {len(ramp.points):,} steps of {config.tokens_per_step:,} tokens, {rates[0]:.2g} to {reached:.2g}"
    )
    print(f"loss        {ramp.smoothed[0]:.4f} at the start, {lowest.loss:.4f} at its lowest, at {lowest.lr:.2g}")
    print(f"breaks      {f'at {breaks.lr:.2g}: {ramp.failure}' if breaks else 'not up to the last rate'}")
    print(f"suggestion  {ramp.suggestion:.2g}: {ramp.reasoning} (the recipe has {config.optim.lr:.2g})")
    print(f"written to  {', '.join(str(out / name) for name in names)}")
    return 0
