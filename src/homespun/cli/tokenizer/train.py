"""`homespun tokenizer train`: text, or counts of it, to a tokenizer directory."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser, parse_count, parse_size
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
    from homespun import _native
    from homespun.tokenizer.tokenizer import Tokenizer

_DESCRIPTION = """\
Train a byte-level BPE tokenizer.

examples:
  homespun tokenizer train corpus.txt --vocab-size 32000 --special-token '<|endoftext|>' --out tokenizer
  homespun tokenizer train 'web/*.parquet' books.txt.zst --vocab-size 32000 --max-memory 2GB --out tokenizer
  homespun tokenizer train web-*.counts --vocab-size 32000 --out tokenizer
  homespun tokenizer train 's3://bucket/web/*.parquet' --vocab-size 32000 --out /shared/tokenizer --ray auto"""


_SHOWN_BYTES = 60  # of the longest token, which may be as long as the text


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(
        prog="homespun tokenizer train",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_inputs(parser, or_else="; or files of counts, from `homespun tokenizer count`")
    parser.add_argument("--vocab-size", type=parse_count, required=True, metavar="N", help="tokens at most, in all")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tokenizer is written")
    add_splitting(parser)
    add_text_key(parser)
    parser.add_argument(
        "--ties",
        choices=("bytes", "ids"),
        default="bytes",
        help="which of equally frequent pairs to merge: greater bytes (the default), or smaller ids, as Hugging Face",
    )
    parser.add_argument(
        "--extend",
        type=Path,
        metavar="DIR",
        help="go on from a tokenizer, whose tokens keep their ids; pattern and special tokens are its",
    )
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="record the merges there, and go on from those that are there: to finish, or to a larger vocabulary",
    )
    add_threads(parser)
    parser.add_argument(
        "--chunk", type=parse_size, default="256KiB", metavar="SIZE", help="text a thread reads at once"
    )
    add_max_memory(parser)
    add_ray(parser, work="count, into DIR.counts that stays,")
    return parser


def main(arguments: list[str]) -> int:
    """Train, write, and say what came of it."""
    asked = build_parser().parse_args(arguments)
    # Imported here, so that `--help` waits for nothing.
    from homespun.tokenizer.config import check_vocab_size
    from homespun.tokenizer.definition import define
    from homespun.tokenizer.storage import check_can_be_saved
    from homespun.tokenizer.tokenizer import Tokenizer
    from homespun.tokenizer.train import merge_counts
    from homespun.tokenizer.vocabulary import build_vocab, check_can_be_extended

    # Whatever could be wrong with the arguments is found before the text is read.
    extended = Tokenizer.load(asked.extend) if asked.extend is not None else None
    special_tokens, pattern = find_settings(asked, extended)
    check_vocab_size("--vocab-size", asked.vocab_size, len(special_tokens))
    if extended is not None:
        check_can_be_extended(extended, asked.vocab_size, special_tokens)
    without_merges = define(build_vocab(special_tokens, []), [], special_tokens, pattern)
    check_can_be_saved(without_merges, asked.out)

    began = time.perf_counter()
    counts = find_counts(asked, special_tokens, pattern)
    counted = time.perf_counter()
    with progress_bar("merging", "tokens") as on_progress:
        vocab, merges = merge_counts(
            counts,
            asked.vocab_size,
            special_tokens,
            ties=asked.ties,
            extend=extended,
            journal=asked.journal,
            num_threads=asked.threads,
            max_memory_bytes=asked.max_memory,
            on_progress=on_progress,
        )
    merged = time.perf_counter()
    tokenizer = Tokenizer(vocab, merges, special_tokens, pattern=pattern)
    tokenizer.save(asked.out)

    longest = max((left + right for left, right in merges), key=len, default=b"")
    print(f"pre-tokens     {counts.total:,} ({len(counts):,} distinct)")
    print(f"vocabulary     {tokenizer.vocab_size:,} tokens, {len(merges):,} of them merged")
    shown, rest = longest[:_SHOWN_BYTES].decode(errors="replace"), longest[_SHOWN_BYTES:]
    print(f"longest token  {shown!r}{' ...' if rest else ''} ({len(longest):,} bytes)")
    print(f"seconds        {merged - began:.2f} ({counted - began:.2f} counting, {merged - counted:.2f} merging)")
    print(f"fingerprint    {tokenizer.fingerprint}")
    print(f"written to     {asked.out}")
    if len(vocab) < asked.vocab_size:
        print(f"The text has no more pairs to merge: {asked.vocab_size - len(vocab):,} tokens fewer than asked for.")
    return 0


def are_counts(asked: argparse.Namespace) -> bool:
    """Whether the inputs are files of counts.

    Raises:
        ConfigError: some are and some are not.
    """
    from homespun.errors import ConfigError
    from homespun.tokenizer.counts_file import SUFFIX

    counts = [name for name in asked.inputs if name.endswith(SUFFIX)]
    if counts and len(counts) < len(asked.inputs):
        raise ConfigError(f"{counts[0]} is a file of counts, but not all inputs are; count the others first")
    return bool(counts)


def find_settings(asked: argparse.Namespace, extended: "Tokenizer | None") -> tuple[list[str], str]:
    """Special tokens and pattern: those of the tokenizer to extend, of the files of counts, or those given.

    Raises:
        ConfigError: they are given where they come from elsewhere, or come from two places and differ.
        DataError: the files of counts do not belong together.
    """
    from homespun.errors import ConfigError
    from homespun.tokenizer.counts_file import add_headers

    header = add_headers([Path(name) for name in asked.inputs]) if are_counts(asked) else None
    if header is None and extended is None:
        return asked.special_tokens, asked.pattern or DEFAULT_PATTERN
    if asked.special_tokens or asked.pattern is not None:
        source = "--extend" if extended is not None else asked.inputs[0]
        raise ConfigError(
            f"{source} says what the pattern and the special tokens are; leave out --pattern and --special-token"
        )
    found = [([*given.special_tokens], given.pattern) for given in (extended, header) if given is not None]
    if found[0] != found[-1]:
        raise ConfigError(
            f"{asked.inputs[0]} was counted with special tokens {found[-1][0]} and pattern {found[-1][1]!r}, but "
            f"{asked.extend} has {found[0][0]} and {found[0][1]!r}; count again with those"
        )
    return found[0]


def find_counts(asked: argparse.Namespace, special_tokens: list[str], pattern: str) -> "_native.PretokenCounts":
    """The counts that are named, or those of the text that is; of a cluster's, the file stands beside the tokenizer.

    Raises:
        ConfigError: counts are named, and a cluster to count on.
    """
    from homespun.errors import ConfigError
    from homespun.tokenizer.count import count_pretokens
    from homespun.tokenizer.counts_file import SUFFIX

    if are_counts(asked):
        if asked.ray is not None:
            raise ConfigError(f"{asked.inputs[0]} is counted already, and merging is for one machine; leave out --ray")
        return read_counts(asked)
    with progress_bar("counting words", "bytes") as on_progress:
        return count_pretokens(
            asked.inputs,
            special_tokens,
            pattern=pattern,
            text_key=asked.text_key or DEFAULT_TEXT_KEY,
            num_threads=asked.threads,
            chunk_bytes=asked.chunk,
            max_memory_bytes=asked.max_memory,
            spill_dir=spill_dir(asked.out),
            counts_path=asked.out.with_name(f"{asked.out.name}{SUFFIX}") if asked.ray is not None else None,
            cluster=asked.ray,
            on_progress=on_progress,
        )


def read_counts(asked: argparse.Namespace) -> "_native.PretokenCounts":
    """The sum of the files of counts that are named."""
    from homespun.tokenizer.counts_file import read_counts
    from homespun.tokenizer.memory import PYTHON_TO_TRAIN_BYTES, memory_for_counting

    memory = memory_for_counting(asked.max_memory, PYTHON_TO_TRAIN_BYTES)
    return read_counts(asked.inputs, max_memory_bytes=memory, spill_dir=spill_dir(asked.out)).pretokens


def spill_dir(out: Path) -> Path:
    """Where counts are put aside: where the tokenizer goes, since the system's place may itself be memory."""
    return next(folder for folder in out.absolute().parents if folder.is_dir())
