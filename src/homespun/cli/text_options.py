"""The options that commands on text have in common: one means the same, and is told the same, wherever it stands."""

import argparse
from typing import Any, Protocol, runtime_checkable

from homespun.cli.parsing import parse_count, parse_size

DEFAULT_PATTERN = "gpt2"
DEFAULT_TEXT_KEY = "text"


@runtime_checkable
class Options(Protocol):
    """A parser, or a group of options of which one may be given."""

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action: ...


def add_inputs(options: Options, *, metavar: str = "INPUT", or_else: str = "") -> None:
    """Files of text, as `inputs`.

    Args:
        options: Where to add it.
        metavar: What a usage calls one.
        or_else: What else may be named, as the rest of the help.
    """
    options.add_argument(
        "inputs",
        nargs="+",
        metavar=metavar,
        help=f"text, .jsonl (either also as .gz or .zst) or .parquet; paths, URLs or patterns{or_else}",
    )


def add_text_key(options: Options) -> None:
    """Where the text is, as `text_key`; None where it is not said."""
    options.add_argument(
        "--text-key",
        metavar="KEY",
        help=f"where the text is in JSON lines and parquet (default: {DEFAULT_TEXT_KEY})",
    )


def add_separator(options: Options) -> None:
    """What stands between documents, as `separator`."""
    options.add_argument(
        "--separator",
        default="<|endoftext|>",
        metavar="TEXT",
        help="the special token between documents (default: %(default)s)",
    )


def add_splitting(options: Options) -> None:
    """How text is cut before pairs are counted: `special_tokens`, and `pattern`, None where it is not said."""
    options.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT",
        help="a string that text is cut at and that is one token, such as '<|endoftext|>'; may be repeated",
    )
    options.add_argument("--pattern", help=f"{DEFAULT_PATTERN} (the default), gpt4, o200k, or a regular expression")


def add_threads(options: Options, *, on_ray: str = "") -> None:
    """How many threads, as `threads`.

    Args:
        options: Where to add it.
        on_ray: What holds on a cluster, as the rest of the help.
    """
    options.add_argument("--threads", type=parse_count, metavar="N", help=f"one a core unless given{on_ray}")


def add_max_memory(options: Options) -> None:
    """A memory budget in bytes, as `max_memory`."""
    options.add_argument("--max-memory", type=parse_size, metavar="SIZE", help="for the process, such as 200MB")


def add_ray(options: Options, *, work: str) -> None:
    """A cluster's address, as `ray`.

    Args:
        options: Where to add it.
        work: What is done there, such as "count".
    """
    options.add_argument(
        "--ray",
        metavar="ADDRESS",
        help=f"{work} on a Ray cluster: auto, or host:port; it must see the inputs and --out under the same paths",
    )
