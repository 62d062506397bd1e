"""`homespun experiment scaling-law`: the law that a sweep's runs follow, next to the exact entropy."""

from pathlib import Path

from homespun.cli.experiment.options import make_parser, publish
from homespun.errors import ConfigError


def main(arguments: list[str]) -> int:
    """Fit, compare, write the JSON and the plot."""
    parser = make_parser(
        "scaling-law",
        "Fit L(N, D) = E + A N^-alpha + B D^-beta to the runs of a sweep by variable projection, with bootstrap "
        "intervals, and Chinchilla's second approach to the same runs; compare E with the exact entropy. At smoke "
        "scale without a sweep: on runs of a planted law.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--sweep", type=Path, metavar="DIR", help="a sweep directory: recipes/experiments/scaling-law.yaml"
    )
    source.add_argument("--listed", type=Path, metavar="FILE", help="a scaling-law-fit.json, to fit its runs again")
    options = parser.parse_args(arguments)
    from homespun.experiments.plots_of_laws import plot_scaling_law
    from homespun.experiments.scaling_law import (
        planted_entropy,
        read_listed_runs,
        read_sweep_runs,
        run_scaling_law,
        simulate_runs,
    )

    simulated = options.sweep is None and options.listed is None
    if simulated and options.scale != "smoke":
        raise ConfigError(
            "--sweep is missing: name the directory of `homespun sweep recipes/experiments/scaling-law.yaml`"
        )
    if options.sweep is not None:
        runs, exact = read_sweep_runs(options.sweep)
    elif options.listed is not None:
        runs, exact = read_listed_runs(options.listed)
    else:
        runs, exact = simulate_runs(), planted_entropy()
    result = run_scaling_law(options.scale, runs, exact, simulated=simulated)
    inputs = ["--sweep DIR"] * (options.sweep is not None) + ["--listed FILE"] * (options.listed is not None)
    return publish(result, plot_scaling_law, options, inputs=inputs, packages=["numpy"])
