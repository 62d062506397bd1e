"""`homespun tokenizer train`: a text file to a tokenizer directory."""

import time
from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_count, parse_size
from homespun.cli.progress import progress_bar

_SHOWN_BYTES = 60  # of the longest token, which may be as long as the text


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(prog="homespun tokenizer train", description="Train a byte-level BPE tokenizer.")
    parser.add_argument("input", type=Path, metavar="INPUT", help="a UTF-8 text file, of any size")
    parser.add_argument("--vocab-size", type=parse_count, required=True, metavar="N", help="tokens at most, in all")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the tokenizer is written")
    parser.add_argument(
        "--special-token",
        action="append",
        default=[],
        dest="special_tokens",
        metavar="TEXT",
        help="a string that is one token, such as '<|endoftext|>'; may be repeated",
    )
    parser.add_argument("--pattern", help="gpt2 (the default), gpt4, or a regular expression")
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
    parser.add_argument("--threads", type=parse_count, metavar="N", help="one a core unless given")
    parser.add_argument("--chunk", type=parse_size, default="4MiB", metavar="SIZE", help="text a thread reads at once")
    return parser


def main(arguments: list[str]) -> int:
    """Train, write, and say what came of it."""
    parser = build_parser()
    asked = parser.parse_args(arguments)
    if asked.extend is not None and (asked.special_tokens or asked.pattern is not None):
        parser.error("--extend takes pattern and special tokens from DIR; leave out --pattern and --special-token")
    # Imported here, so that `--help` waits for nothing.
    from homespun.tokenizer.config import check_vocab_size
    from homespun.tokenizer.count import count_pretokens
    from homespun.tokenizer.definition import define
    from homespun.tokenizer.storage import check_can_be_saved
    from homespun.tokenizer.tokenizer import Tokenizer
    from homespun.tokenizer.train import merge_counts
    from homespun.tokenizer.vocabulary import build_vocab, check_can_be_extended

    # Whatever could be wrong with the arguments is found before the text is read.
    extended = Tokenizer.load(asked.extend) if asked.extend is not None else None
    special_tokens = list(extended.special_tokens) if extended is not None else asked.special_tokens
    pattern = extended.pattern if extended is not None else asked.pattern or "gpt2"
    check_vocab_size("--vocab-size", asked.vocab_size, len(special_tokens))
    if extended is not None:
        check_can_be_extended(extended, asked.vocab_size, special_tokens)
    without_merges = define(build_vocab(special_tokens, []), [], special_tokens, pattern)
    check_can_be_saved(without_merges, asked.out)

    began = time.perf_counter()
    with progress_bar("counting words", "bytes") as on_progress:
        counts = count_pretokens(
            asked.input,
            special_tokens,
            pattern=pattern,
            num_threads=asked.threads,
            chunk_bytes=asked.chunk,
            on_progress=on_progress,
        )
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
