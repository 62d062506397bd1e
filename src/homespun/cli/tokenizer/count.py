"""`homespun tokenizer count`: how often each pre-token of a corpus occurs, as a file to train from."""

import time
from pathlib import Path

from homespun.cli.parsing import CommandParser
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import (
    DEFAULT_PATTERN,
    add_counting,
    add_inputs,
    add_splitting,
    are_counts,
    count_options,
)

_DESCRIPTION = """\
Count the pre-tokens of a corpus into a counts file, from which `homespun tokenizer train` trains. Counts of several
inputs, such as those of several machines, are added up by it, or here. After an interruption the same command resumes.

examples:
  homespun tokenizer count corpus.txt --out corpus.counts --special-token '<|endoftext|>'
  homespun tokenizer count 'web-3/*.jsonl.zst' --out web-3.counts --max-memory 2GB
  homespun tokenizer count 's3://bucket/web/*.parquet' --out /shared/web.counts --ray auto
  homespun tokenizer count web-*.counts --out web.counts"""


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser("homespun tokenizer count", _DESCRIPTION)
    add_inputs(parser, or_else="; or counts files")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.counts", help="where the counts are written")
    add_splitting(parser)
    add_counting(parser, work_on_ray="count")
    return parser


def main(arguments: list[str]) -> int:
    """Count or merge, and report the sums."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer.counting.file import merge_counts_files
    from homespun.tokenizer.counting.job import count_corpus

    began = time.perf_counter()
    if are_counts(options):
        sums = merge_counts_files([Path(name) for name in options.inputs], options.out)
    else:
        with progress_bar("counting words", "bytes") as on_progress:
            sums = count_corpus(
                expand_inputs(options.inputs),
                options.out,
                options.special_tokens,
                pattern=options.pattern or DEFAULT_PATTERN,
                options=count_options(options),
                on_progress=on_progress,
            )
    print(f"pre-tokens  {sums.total:,} ({sums.num_pretokens:,} distinct, {sums.num_bytes:,} bytes)")
    print(f"seconds     {time.perf_counter() - began:.2f}")
    print(f"written to  {options.out}")
    return 0
