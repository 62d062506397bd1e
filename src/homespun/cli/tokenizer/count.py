"""`homespun tokenizer count`: how often each pre-token of a corpus occurs, as a file to train from."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser, parse_size
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import (
    DEFAULT_PATTERN,
    DEFAULT_TEXT_KEY,
    add_inputs,
    add_max_memory,
    add_ray,
    add_splitting,
    add_text_key,
    add_threads,
)

if TYPE_CHECKING:
    from homespun.tokenizer.counts_file import CountsSums

_DESCRIPTION = """\
Count the pre-tokens of a corpus. A file of counts is what `homespun tokenizer train` trains from; counts of several
corpora, or of the shards of one that were counted on several machines, are added up by it, or here. After an
interruption the same command goes on.

examples:
  homespun tokenizer count corpus.txt --out corpus.counts --special-token '<|endoftext|>'
  homespun tokenizer count 'web/*.jsonl.zst' --out web-3.counts --shard 3/8 --max-memory 2GB
  homespun tokenizer count 's3://bucket/web/*.parquet' --out /shared/web.counts --ray auto
  homespun tokenizer count web-*.counts --out web.counts"""


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(
        prog="homespun tokenizer count",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_inputs(parser, or_else="; or files of counts")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.counts", help="where the counts are written")
    add_splitting(parser)
    add_text_key(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--shard", metavar="I/N", help="count the part I of N, from 1, in equal numbers of bytes")
    add_ray(where, work="count")
    add_threads(parser, on_ray="; one a task on Ray")
    add_max_memory(parser)
    parser.add_argument(
        "--segment", type=parse_size, metavar="SIZE", help="text after which an interruption costs nothing (1GiB)"
    )
    return parser


def main(arguments: list[str]) -> int:
    """Count or merge, and say what came of it."""
    asked = build_parser().parse_args(arguments)
    # Imported here, so that `--help` waits for nothing.
    from homespun.tokenizer.counts_file import SUFFIX

    began = time.perf_counter()
    are_counts = all(name.endswith(SUFFIX) for name in asked.inputs)
    sums = merge_files(asked) if are_counts else count_text(asked)
    print(f"pre-tokens  {sums.total:,} ({sums.num_pretokens:,} distinct, {sums.num_bytes:,} bytes)")
    print(f"seconds     {time.perf_counter() - began:.2f}")
    print(f"written to  {asked.out}")
    return 0


def merge_files(asked: argparse.Namespace) -> "CountsSums":
    """Add up files of counts.

    Raises:
        ConfigError: an option is given that was decided when they were counted.
    """
    from homespun.errors import ConfigError
    from homespun.tokenizer.counts_file import merge_counts_files

    decided = {
        "--special-token": asked.special_tokens or None,
        "--pattern": asked.pattern,
        "--text-key": asked.text_key,
        "--shard": asked.shard,
        "--ray": asked.ray,
    }
    if given := [name for name, value in decided.items() if value is not None]:
        raise ConfigError(f"{given[0]} was decided when {asked.inputs[0]} was counted; leave it out")
    return merge_counts_files(asked.inputs, asked.out)


def count_text(asked: argparse.Namespace) -> "CountsSums":
    """Count a corpus, or a shard of it."""
    from homespun.tokenizer.count_corpus import count_corpus
    from homespun.tokenizer.counting import SEGMENT_BYTES
    from homespun.tokenizer.parts import WHOLE, Shard

    with progress_bar("counting words", "bytes") as on_progress:
        return count_corpus(
            asked.inputs,
            asked.out,
            asked.special_tokens,
            pattern=asked.pattern or DEFAULT_PATTERN,
            text_key=asked.text_key or DEFAULT_TEXT_KEY,
            shard=WHOLE if asked.shard is None else Shard.parse(asked.shard),
            num_threads=asked.threads,
            max_memory_bytes=asked.max_memory,
            segment_bytes=asked.segment or SEGMENT_BYTES,
            cluster=asked.ray,
            on_progress=on_progress,
        )
