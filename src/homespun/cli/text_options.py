"""The options that commands on text share: each means the same, and has the same help, wherever it appears."""

import argparse
from os import PathLike

from homespun.cli.parsing import parse_count, parse_size
from homespun.errors import ConfigError
from homespun.tokenizer.counting.options import CountOptions

DEFAULT_PATTERN = "gpt2"
DEFAULT_TEXT_KEY = "text"


def add_inputs(parser: argparse._ActionsContainer, *, metavar: str = "INPUT", or_else: str = "") -> None:
    """Add the files of a text, as `inputs`; `or_else` ends the help with what else may be named."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar=metavar,
        help=f"text, .jsonl (either also as .gz or .zst) or .parquet; paths, URLs or patterns{or_else}",
    )


def add_text_key(parser: argparse._ActionsContainer) -> None:
    """Add `text_key`; None where it is not given."""
    parser.add_argument(
        "--text-key",
        metavar="KEY",
        help=f"where the text is in JSON lines and parquet (default: {DEFAULT_TEXT_KEY})",
    )


def add_separator(parser: argparse._ActionsContainer) -> None:
    """Add the text between documents, as `separator`."""
    parser.add_argument(
        "--separator",
        default="<|endoftext|>",
        metavar="TEXT",
        help="the special token between documents (default: %(default)s)",
    )


def add_splitting(parser: argparse._ActionsContainer) -> None:
    """Add how text is split before pairs are counted: `special_tokens`, and `pattern`, None where it is not given."""
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT",
        help="a string that is one token and at which text is split, such as '<|endoftext|>'; may be repeated",
    )
    parser.add_argument("--pattern", help=f"{DEFAULT_PATTERN} (the default), gpt4, o200k, or a regular expression")


def add_threads(parser: argparse._ActionsContainer, *, on_ray: str = "") -> None:
    """Add how many threads, as `threads`; `on_ray` ends the help with the default on a cluster."""
    parser.add_argument("--threads", type=parse_count, metavar="N", help=f"default: one per core{on_ray}")


def add_ray(parser: argparse._ActionsContainer, *, work: str) -> None:
    """Add a cluster's address, as `ray`; `work` is what is done there, such as "count"."""
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help=f"{work} on a Ray cluster: auto, or host:port; it must see the inputs and --out under the same paths",
    )


def add_counting(parser: argparse._ActionsContainer, *, work_on_ray: str) -> None:
    """Add everything that `count_options` reads."""
    add_text_key(parser)
    add_threads(parser, on_ray=", or one per task on Ray")
    parser.add_argument(
        "--chunk", type=parse_size, default="256KiB", metavar="SIZE", help="text a thread reads at once"
    )
    parser.add_argument(
        "--max-memory",
        type=parse_size,
        metavar="SIZE",
        help="for the process, such as 200MB; a JSON line or parquet page above 1/16 is refused",
    )
    parser.add_argument(
        "--range",
        type=parse_size,
        default="1GiB",
        metavar="SIZE",
        help="input counted before the counts are saved, so that an interruption costs no more; a task on Ray (1GiB)",
    )
    add_ray(parser, work=work_on_ray)


def count_options(
    options: argparse.Namespace,
    *,
    counts_path: str | PathLike[str] | None = None,
    spill_dir: str | PathLike[str] | None = None,
) -> CountOptions:
    """Return how to count, as the options of `add_counting` say."""
    return CountOptions(
        text_key=options.text_key or DEFAULT_TEXT_KEY,
        num_threads=options.threads,
        chunk_bytes=options.chunk,
        max_memory_bytes=options.max_memory,
        spill_dir=spill_dir,
        counts_path=counts_path,
        range_bytes=options.range,
        cluster=options.ray,
    )


def are_counts(options: argparse.Namespace) -> bool:
    """Whether the inputs are counts files.

    Raises:
        ConfigError: some are and some are not; or an option is given that was decided when they were counted.
    """
    from homespun.tokenizer.counting.file import SUFFIX

    counts = [name for name in options.inputs if name.endswith(SUFFIX)]
    if counts and len(counts) < len(options.inputs):
        raise ConfigError(f"{counts[0]} is a counts file, but not all inputs are; count the others first")
    decided = {
        "--special-token": options.special_tokens or None,
        "--pattern": options.pattern,
        "--text-key": options.text_key,
        "--ray": options.ray,
    }
    given = [name for name, value in decided.items() if value is not None]
    if counts and given:
        raise ConfigError(f"{given[0]} was decided when {counts[0]} was counted; leave it out")
    return bool(counts)
