"""`homespun experiment sgd-toy`: ten steps of SGD on a quadratic bowl at four learning rates."""

from homespun.cli.experiment.options import make_parser, publish


def main(arguments: list[str]) -> int:
    """Run the toy at every rate, and write its JSON and plot."""
    parser = make_parser("sgd-toy", "Ten steps of SGD on a quadratic bowl at learning rates 1, 10, 100 and 1,000.")
    options = parser.parse_args(arguments)
    from homespun.experiments.sgd_toy import plot_sgd_toy, run_sgd_toy

    return publish(run_sgd_toy(options.scale), plot_sgd_toy, options, packages=["torch"])
