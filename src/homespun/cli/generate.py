"""`homespun generate`: continue a prompt with a run's model, printed as it is written."""

import argparse
from pathlib import Path

from homespun.cli.parsing import CHECKPOINT_HELP, CommandParser, parse_count, parse_positive, read_text
from homespun.errors import ConfigError

_RULE = "-" * 72
_MAX_ROWS = 16  # samples generated together: each needs a cache
_DESCRIPTION = """\
Continue a prompt with a run's model, or begin a document where there is no prompt. The text ends where the model ends
the document, before a stop string, or after --max-new-tokens; the same seed gives the same text."""
_EPILOG = """\
examples:
  homespun generate runs/demo
  homespun generate runs/demo "Once upon a time"
  homespun generate runs/demo --num-samples 3 --temperature 0.7 --top-p 0.9
  homespun generate runs/demo --prompt - --temperature 0 --stop "." --max-new-tokens 50 < prompt.txt"""


def build_parser() -> CommandParser:
    """Return the parser of the command's arguments."""
    parser = CommandParser("homespun generate", _DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("text", nargs="?", metavar="PROMPT", help="what to continue; - reads standard input")
    parser.add_argument("--prompt", metavar="TEXT", help="the same as a flag; a special token in it is text")
    parser.add_argument("--document-start", action="store_true", help="let the prompt begin a document")
    parser.add_argument(
        "--max-new-tokens", type=parse_count, default=256, metavar="N", help="of each sample (default: %(default)s)"
    )
    parser.add_argument("--num-samples", type=parse_positive, default=1, metavar="N", help="(default: %(default)s)")
    sampling = parser.add_argument_group("sampling", "a token may be drawn if top-k, top-p and min-p all admit it")
    sampling.add_argument(
        "--temperature", type=float, default=0.8, metavar="X", help="0: always the most likely (default: %(default)s)"
    )
    sampling.add_argument("--top-k", type=parse_count, metavar="K", help="only the K most likely tokens")
    sampling.add_argument(
        "--top-p",
        type=float,
        default=0.95,
        metavar="P",
        help="only the most likely that together have probability P (default: %(default)s)",
    )
    sampling.add_argument(
        "--min-p", type=float, default=0.0, metavar="P", help="only those at least P times as likely as the most likely"
    )
    sampling.add_argument("--seed", type=parse_count, default=0, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="end before this text; may be given several times"
    )
    parser.add_argument("--checkpoint", metavar="FILE", help=CHECKPOINT_HELP)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    return parser


def main(arguments: list[str]) -> int:
    """Print each sample after its prompt, with a rule between samples."""
    options = build_parser().parse_args(arguments)
    prompt = find_prompt(options)
    # Imported here: a wrong command line does not wait for torch.
    from homespun.generation import Sampling, decode_streams
    from homespun.runs.load import load_run
    from homespun.seeding import derive_seed

    sampling = Sampling(temperature=options.temperature, top_k=options.top_k, top_p=options.top_p, min_p=options.min_p)
    run = load_run(options.run, options.checkpoint, options.device)
    for first in range(0, options.num_samples, _MAX_ROWS):
        samples = range(first, min(first + _MAX_ROWS, options.num_samples))
        # The rows are generated together: while the first is printed, the tokens of the others wait in memory.
        streams = decode_streams(
            run.model,
            run.tokenizer,
            [prompt] * len(samples),
            options.max_new_tokens,
            sampling,
            seeds=[derive_seed(options.seed, f"sample {index}") for index in samples],
            stop=options.stop,
            separator=run.config.source.separator,
            document_start=options.document_start or not prompt,
        )
        for index, stream in zip(samples, streams, strict=True):
            if index:
                print(_RULE)
            print(prompt, end="", flush=True)
            for text in stream:
                print(text, end="", flush=True)
            print()
    return 0


def find_prompt(options: argparse.Namespace) -> str:
    """Return the prompt that was given, by position, as a flag or on standard input; "" for none.

    Raises:
        ConfigError: two prompts were given.
        DataError: standard input is not valid UTF-8.
    """
    if options.text is not None and options.prompt is not None:
        raise ConfigError(f"two prompts were given, {options.text!r} and --prompt {options.prompt!r}; give one")
    prompt = options.prompt if options.text is None else options.text
    return read_text("-").removesuffix("\n") if prompt == "-" else prompt or ""
