"""`homespun experiment sampling`: temperature and top-p, judged by the storybook's grammar."""

from pathlib import Path

from homespun.cli.experiment.options import make_parser, publish
from homespun.cli.parsing import CHECKPOINT_HELP, parse_count, parse_positive
from homespun.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Generate, judge, write the JSON and the plot."""
    parser = make_parser(
        "sampling",
        "Generate stories at a grid of temperatures and top-p with a run on the storybook: how often the grammar "
        "allows them, their bits under grammar and model, repetition, diversity, copies of the training text.",
    )
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="a run on the storybook: homespun demo")
    parser.add_argument("--stories", type=parse_positive, metavar="N", help="of each cell (default: by the scale)")
    parser.add_argument("--seed", type=parse_count, default=0, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    options = parser.parse_args(arguments)
    # Imported here: a wrong command line does not wait for torch.
    from homespun.experiments.plots_of_samples import plot_sampling
    from homespun.experiments.sampling import run_sampling
    from homespun.runs.load import load_run

    run = load_run(options.run, options.checkpoint, options.device)
    with progress_bar("generating stories", "stories") as on_progress:
        result = run_sampling(
            options.scale, run, num_stories=options.stories, seed=options.seed, on_progress=on_progress
        )
    inputs = ["--run RUN"] + [f"--stories {options.stories}"] * (options.stories is not None)
    return publish(result, plot_sampling, options, inputs=inputs, packages=["torch", "numpy"])
