"""`homespun generate`: a run's model continues a prompt, on standard output as it writes."""

import argparse
from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_count

_RULE = "-" * 72
_EPILOG = """\
examples:
  homespun generate runs/demo --prompt "Once upon a time"
  homespun generate runs/demo --document-start --num-samples 3 --temperature 0.7 --top-p 0.9
  homespun generate runs/demo --prompt "The cat" --temperature 0 --stop "." --max-new-tokens 50
"""


def main(arguments: list[str]) -> int:
    """Print each sample, the prompt before it, a rule between them."""
    options = _build_parser().parse_args(arguments)
    # Imported here: a wrong command line does not wait for torch.
    from homespun.generation.generate import decode_stream
    from homespun.runs.load import load_run
    from homespun.seeding import derive_seed

    run = load_run(options.run, options.checkpoint, options.device)
    for index in range(options.num_samples):
        pieces = decode_stream(
            run.model,
            run.tokenizer,
            options.prompt,
            options.max_new_tokens,
            options.temperature,
            options.top_p,
            top_k=options.top_k,
            min_p=options.min_p,
            seed=derive_seed(options.seed, f"sample {index}"),
            stop=options.stop,
            document_start=options.document_start,
        )
        if index:
            print(_RULE)
        print(options.prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="homespun generate",
        description=(
            "Continue a prompt with a run's model. It ends where the model ends the document, before a stop string, "
            "or after --max-new-tokens; the same seed gives the same text."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what to continue; special tokens in it stay text")
    parser.add_argument(
        "--document-start", action="store_true", help="begin a new document, with the prompt if there is one"
    )
    parser.add_argument(
        "--max-new-tokens", type=parse_count, default=256, metavar="N", help="at most so many (default: %(default)s)"
    )
    parser.add_argument("--num-samples", type=_at_least_one, default=1, metavar="N", help="how many (default: 1)")
    sampling = parser.add_argument_group("sampling", "a token may be drawn if all of top-k, top-p and min-p admit it")
    sampling.add_argument(
        "--temperature", type=float, default=0.8, metavar="X", help="0: always the likeliest (default: %(default)s)"
    )
    sampling.add_argument("--top-k", type=parse_count, metavar="K", help="only the K likeliest tokens")
    sampling.add_argument(
        "--top-p",
        type=float,
        default=0.95,
        metavar="P",
        help="only the likeliest that hold P of the probability (default: %(default)s)",
    )
    sampling.add_argument(
        "--min-p", type=float, default=0.0, metavar="P", help="only those P times as likely as the likeliest"
    )
    sampling.add_argument("--seed", type=parse_count, default=0, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; may be given several times"
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="another than the newest")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    return parser


def _at_least_one(text: str) -> int:
    count = parse_count(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is too few; ask for at least 1")
    return count
