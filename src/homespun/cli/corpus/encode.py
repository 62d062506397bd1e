"""`homespun corpus encode`: text of any number of files to a token data set."""

import time
from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_size
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import (
    DEFAULT_TEXT_KEY,
    add_inputs,
    add_ray,
    add_separator,
    add_text_key,
    add_threads,
)

_DESCRIPTION = """\
Encode text into a token data set, in bounded memory. Files follow each other in the order given, the matches of a
pattern by their names. After an interruption the same command resumes.

examples:
  homespun corpus encode train.txt --tokenizer data/mine/tokenizer --out data/mine/train
  homespun corpus encode 's3://bucket/web/*.parquet' --tokenizer tok --out /shared/web --ray auto"""


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser("homespun corpus encode", _DESCRIPTION)
    add_inputs(parser)
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="DIR", help="a tokenizer directory")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the directory of the token data set")
    add_separator(parser)
    add_text_key(parser)
    parser.add_argument(
        "--shard", type=parse_size, metavar="SIZE", help="bytes of the inputs in a shard (default: 256MiB)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a data set in DIR that was made from other inputs"
    )
    where = parser.add_mutually_exclusive_group()
    add_threads(where)
    add_ray(where, work="encode")
    return parser


def main(arguments: list[str]) -> int:
    """Encode, and print what was written."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.data.encode import SHARD_BYTES, encode_corpus
    from homespun.tokenizer.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(options.tokenizer)
    began = time.perf_counter()
    with progress_bar("encoding", "bytes") as on_progress:
        dataset = encode_corpus(
            tokenizer,
            options.inputs,
            options.out,
            separator=options.separator,
            text_key=options.text_key or DEFAULT_TEXT_KEY,
            shard_bytes=SHARD_BYTES if options.shard is None else options.shard,
            num_threads=options.threads,
            cluster=options.ray,
            overwrite=options.force,
            on_progress=on_progress,
        )
    print(f"tokens      {len(dataset):,} in {len(dataset.manifest.shards):,} shard(s)")
    print(f"text        {dataset.num_bytes:,} bytes, {dataset.num_bytes / len(dataset):.2f} a token")
    print(f"documents   {dataset.manifest.num_separators:,} separators")
    print(f"seconds     {time.perf_counter() - began:.2f}")
    print(f"written to  {options.out}")
    return 0
