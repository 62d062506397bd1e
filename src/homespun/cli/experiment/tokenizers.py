"""`homespun experiment tokenizers`: two corpora, a tokenizer of each, and what they make of each other's text."""

from pathlib import Path

from homespun.cli.experiment.options import make_parser, publish
from homespun.cli.experiment.texts import add_text_flags, open_corpora, text_inputs

_VOCAB_SIZES = {"tinystories": 10_000, "english": 32_000}
_SMOKE_VOCAB_SIZE = 400


def main(arguments: list[str]) -> int:
    """Train, measure, write the JSON and the plots."""
    parser = make_parser(
        "tokenizers",
        "Train a tokenizer on each corpus: time by phase, memory, longest tokens, compression within and across, "
        "compression by vocabulary size, throughput and the time for the Pile.",
    )
    add_text_flags(parser)
    parser.add_argument(
        "--also", nargs=2, action="append", default=[], metavar=("NAME", "TEXT"), help="a text to measure on only"
    )
    parser.add_argument(
        "--tokenizer", nargs=2, action="append", default=[], metavar=("NAME", "DIR"), help="one to measure as well"
    )
    options = parser.parse_args(arguments)
    from homespun.experiments.plots_of_texts import plot_tokenizers
    from homespun.experiments.texts import Corpus
    from homespun.experiments.tokenizers import run_tokenizers
    from homespun.tokenizer import Tokenizer

    with open_corpora(options) as corpora:
        sizes = {corpus.name: _VOCAB_SIZES.get(corpus.name, _SMOKE_VOCAB_SIZE) for corpus in corpora}
        if options.scale == "smoke":
            sizes = dict.fromkeys(sizes, _SMOKE_VOCAB_SIZE)
        others = [Corpus(name=name, train=None, valid=Path(text)) for name, text in options.also]
        ready = {name: Tokenizer.load(directory) for name, directory in options.tokenizer}
        result = run_tokenizers(options.scale, [*corpora, *others], sizes, ready=ready)
    inputs = text_inputs(options)
    inputs += [f"--also {name} TEXT" for name, _ in options.also]
    inputs += [f"--tokenizer {name} DIR" for name, _ in options.tokenizer]
    return publish(result, plot_tokenizers, options, inputs=inputs, packages=["numpy"])
