"""What the commands of `homespun experiment` share: scale and place, the JSON file, the plots."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from homespun.cli.parsing import CommandParser

if TYPE_CHECKING:
    from homespun.experiments.result import ExperimentResult


def make_parser(name: str, description: str) -> CommandParser:
    """Return a parser with the flags that every experiment has."""
    # Imported here, so that `homespun --help` loads nothing.
    from homespun.experiments.result import Scale

    parser = CommandParser(f"homespun experiment {name}", description)
    parser.set_defaults(experiment=name)
    parser.add_argument(
        "--scale",
        choices=get_args(Scale),
        default="cpu",
        help="smoke: seconds; cpu: minutes on two cores; gpu: as much as the published work (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/experiments"), metavar="DIR", help="for JSON and plots (%(default)s)"
    )
    return parser


def publish(
    result: "ExperimentResult",
    plot: "Callable[[ExperimentResult, Path], list[str]]",
    options: argparse.Namespace,
    *,
    inputs: Iterable[str] = (),
    packages: Iterable[str] = (),
) -> int:
    """Write the plots and the JSON file, and print the conclusions.

    Args:
        result: What was found.
        plot: Writes the plots into a directory, and returns their names.
        options: From a parser of `make_parser`.
        inputs: The further flags that were given, with names in place of this machine's paths.
        packages: Those whose versions count.
    """
    plots = plot(result, options.out)
    name = options.experiment
    command = " ".join(["homespun experiment", name, "--scale", result.scale, *inputs])
    path = result.write(options.out, command=command, plots=plots, packages=packages)
    for sentence in result.conclusions:
        print(sentence)
    print(f"wrote {path}" + "".join(f", {options.out / name}" for name in plots))
    return 0
