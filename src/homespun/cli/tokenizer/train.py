"""`homespun tokenizer train`: text, or counts of it, to a tokenizer directory."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser, parse_count
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import (
    DEFAULT_PATTERN,
    add_counting,
    add_inputs,
    add_splitting,
    are_counts,
    count_options,
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
    parser = CommandParser("homespun tokenizer train", _DESCRIPTION)
    add_inputs(parser, or_else="; or counts files, from `homespun tokenizer count`")
    parser.add_argument("--vocab-size", type=parse_count, required=True, metavar="N", help="tokens at most, in all")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tokenizer is written")
    parser.add_argument("--force", action="store_true", help="replace another tokenizer in DIR")
    add_splitting(parser)
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
        help="start from a tokenizer, whose tokens keep their ids; pattern and special tokens are its",
    )
    add_counting(parser, work_on_ray="count, into DIR.counts that stays,")
    return parser


def main(arguments: list[str]) -> int:
    """Train, write the tokenizer, and report what it is."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.tokenizer.config import check_special_tokens, check_vocab_size
    from homespun.tokenizer.definition import define
    from homespun.tokenizer.storage.directory import check_can_be_saved
    from homespun.tokenizer.tokenizer import Tokenizer
    from homespun.tokenizer.train import merge_counts
    from homespun.tokenizer.vocabulary import check_can_be_extended, initial_vocab

    # Check all arguments before reading the text.
    extended = Tokenizer.load(options.extend) if options.extend is not None else None
    is_counted = are_counts(options)
    special_tokens, pattern = find_settings(options, extended, is_counted)
    check_special_tokens("--special-token", special_tokens)
    check_vocab_size("--vocab-size", options.vocab_size, len(special_tokens))
    if extended is not None:
        check_can_be_extended(extended, options.vocab_size, special_tokens)
    without_merges = define(initial_vocab(special_tokens), [], special_tokens, pattern)
    check_can_be_saved(without_merges, options.out)
    existing = find_existing(options, special_tokens, without_merges.pattern)

    began = time.perf_counter()
    counts = find_counts(options, special_tokens, pattern, is_counted)
    counted = time.perf_counter()
    with progress_bar("merging", "tokens") as on_progress:
        vocab, merges = merge_counts(
            counts,
            options.vocab_size,
            special_tokens,
            ties=options.ties,
            extend=extended,
            options=count_options(options),
            on_progress=on_progress,
        )
    merged = time.perf_counter()
    specials, added = (special_tokens, []) if extended is None else (extended.special_tokens, extended.added_tokens)
    tokenizer = Tokenizer.from_definition(define(vocab, merges, specials, pattern, added))
    if existing is not None and existing.fingerprint != tokenizer.fingerprint:
        raise refusal_to_replace(options.out, f"of {len(existing):,} tokens")
    tokenizer.save(options.out)

    longest = max((left + right for left, right in merges), key=len, default=b"")
    print(f"pre-tokens     {counts.total:,} ({len(counts):,} distinct)")
    print(f"vocabulary     {len(tokenizer):,} tokens, {len(merges):,} of them merged")
    shown, rest = longest[:_SHOWN_BYTES].decode(errors="replace"), longest[_SHOWN_BYTES:]
    print(f"longest token  {shown!r}{' ...' if rest else ''} ({len(longest):,} bytes)")
    print(f"seconds        {merged - began:.2f} ({counted - began:.2f} counting, {merged - counted:.2f} merging)")
    print(f"fingerprint    {tokenizer.fingerprint}")
    print(f"written to     {options.out}")
    if lacking := options.vocab_size - tokenizer.vocab_size:
        print(f"The text has no more pairs to merge: {lacking:,} tokens fewer than asked for.")
    return 0


def find_settings(options: argparse.Namespace, extended: "Tokenizer | None", is_counted: bool) -> tuple[list[str], str]:
    """Return special tokens and pattern: those of the tokenizer to extend, of the counts files, or those given.

    Raises:
        ConfigError: they are given where they come from elsewhere, or come from two places and differ.
        DataError: the counts files cannot be added up.
    """
    from homespun.errors import ConfigError
    from homespun.tokenizer.counting.file import add_headers

    header = add_headers([Path(name) for name in options.inputs]) if is_counted else None
    if header is None and extended is None:
        return options.special_tokens, options.pattern or DEFAULT_PATTERN
    if options.special_tokens or options.pattern is not None:
        raise ConfigError(
            f"{options.extend} says what the pattern and the special tokens are; leave out --pattern and "
            "--special-token"
        )
    found = [([*given.special_tokens], given.pattern) for given in (extended, header) if given is not None]
    if found[0] != found[-1]:
        raise ConfigError(
            f"{options.inputs[0]} was counted with special tokens {found[-1][0]} and pattern {found[-1][1]!r}, but "
            f"{options.extend} has {found[0][0]} and {found[0][1]!r}; count again with those"
        )
    return found[0]


def find_existing(options: argparse.Namespace, special_tokens: list[str], regex: str) -> "Tokenizer | None":
    """Return the existing tokenizer in `--out`, which is kept if training gives the same one.

    Data sets and models belong to one tokenizer: replacing it would silently make them useless.

    Raises:
        ConfigError: there is one with other settings.
        TokenizerError: there is one that cannot be read.
    """
    from homespun.errors import MissingFileError
    from homespun.tokenizer.tokenizer import Tokenizer

    if options.force or not options.out.exists():
        return None
    try:
        existing = Tokenizer.load(options.out)
    except MissingFileError:
        return None
    found, expected = ([*existing.special_tokens], existing.pattern), (special_tokens, regex)
    if found != expected or existing.vocab_size > options.vocab_size:
        what = f"of {len(existing):,} tokens, special tokens {found[0]} and pattern {found[1]!r}"
        raise refusal_to_replace(options.out, what)
    return existing


def refusal_to_replace(out: Path, what: str) -> Exception:
    """Return the error for an output directory with another tokenizer."""
    from homespun.errors import ConfigError

    return ConfigError(f"{out} has another tokenizer, {what}; choose another --out, or replace it with --force")


def find_counts(
    options: argparse.Namespace, special_tokens: list[str], pattern: str, is_counted: bool
) -> "_native.PretokenCounts":
    """Return the counts in the named files, or count the named text; on a cluster the counts are kept in a file."""
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer.counting.file import SUFFIX, read_counts
    from homespun.tokenizer.counting.job import count_pretokens
    from homespun.tokenizer.counting.options import PYTHON_TO_TRAIN_BYTES
    from homespun.tokenizer.train import check_special_tokens_stay_apart

    # Counts spill to where the tokenizer goes, since the system's directory for temporary files may itself be memory.
    spill_dir = next(folder for folder in options.out.resolve().parents if folder.is_dir())
    counts_path = None if options.ray is None else options.out.with_name(f"{options.out.name}{SUFFIX}")
    how = count_options(options, counts_path=counts_path, spill_dir=None if counts_path else spill_dir)
    if is_counted:
        memory_bytes = how.memory_besides(PYTHON_TO_TRAIN_BYTES)
        return read_counts([Path(name) for name in options.inputs], max_memory_bytes=memory_bytes, spill_dir=spill_dir)
    files = expand_inputs(options.inputs)
    check_special_tokens_stay_apart(special_tokens, pattern, files)
    with progress_bar("counting words", "bytes") as on_progress:
        return count_pretokens(files, special_tokens, pattern=pattern, options=how, on_progress=on_progress)
