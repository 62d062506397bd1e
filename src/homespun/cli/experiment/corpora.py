"""`homespun experiment corpora`: TinyStories next to English as text, before any model."""

from homespun.cli.experiment.options import make_parser, publish
from homespun.cli.experiment.texts import add_text_flags, open_corpora, text_inputs


def main(arguments: list[str]) -> int:
    """Compare the corpora, and write the JSON and the plot."""
    parser = make_parser(
        "corpora",
        "Compare two corpora before any model is trained: compression, vocabularies in common, entropy of single "
        "tokens and of pairs, size as token ids.",
    )
    add_text_flags(parser)
    options = parser.parse_args(arguments)
    from homespun.experiments.corpora import run_corpora
    from homespun.experiments.plots_of_texts import plot_corpora

    with open_corpora(options) as corpora:
        result = run_corpora(options.scale, corpora)
    return publish(result, plot_corpora, options, inputs=text_inputs(options), packages=["numpy"])
