"""`homespun tokenizer verify`: our ids and merges against the reference and other people's tokenizers.

The only file of the package that imports other tokenizers: they are independent oracles.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser, parse_size
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import DEFAULT_TEXT_KEY, add_inputs, add_separator, add_text_key
from homespun.errors import MissingPackageError, TokenizerError

if TYPE_CHECKING:
    from homespun.corpus.inputs import InputFile
    from homespun.tokenizer.reference import Pretokenize
    from homespun.tokenizer.sample import Excerpt
    from homespun.tokenizer.tokenizer import Tokenizer
    from homespun.tokenizer.verification import Finding

EXIT_DIFFERS = 1

_DESCRIPTION = """\
Compare a tokenizer's ids with those of tiktoken, tokenizers and the slow reference on a sample of a text, and the
trainer's merges with the reference trainer's. Exits with 1 where anything differs."""


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(prog="homespun tokenizer verify", description=_DESCRIPTION)
    parser.add_argument("tokenizer", type=Path, metavar="DIR", help="a tokenizer directory")
    add_inputs(parser, metavar="TEXT")
    parser.add_argument("--sample", type=parse_size, default="1MB", metavar="SIZE", help="text to compare on (1MB)")
    parser.add_argument(
        "--retrain", action="store_true", help="TEXT is what the tokenizer was trained on: train again and compare"
    )
    add_separator(parser)
    add_text_key(parser)
    return parser


def main(arguments: list[str]) -> int:
    """Compare, print the table, and say what differs first."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.config import check_at_least
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer.sample import take_sample
    from homespun.tokenizer.tokenizer import Tokenizer

    check_at_least("--sample", options.sample, 1)
    tokenizer = Tokenizer.load(options.tokenizer)
    files, text_key = expand_inputs(options.inputs), options.text_key or DEFAULT_TEXT_KEY
    with progress_bar("reading", "bytes") as on_progress:
        sample = take_sample(
            files, options.sample, separator=options.separator, text_key=text_key, on_progress=on_progress
        )
    findings = [
        *find_all(tokenizer, options.tokenizer, sample),
        check_own_merges(tokenizer, files, text_key, is_training_text=options.retrain),
    ]
    print_table(findings)
    num_bytes = sum(len(excerpt.text.encode()) for excerpt in sample)
    print(f"sample: {num_bytes:,} bytes in {len(sample):,} excerpts, evenly spaced over {len(files):,} file(s)")
    for finding in findings:
        if finding.note:
            print(f"{finding.check}, {finding.against}: {finding.outcome}: {finding.note}")
    return EXIT_DIFFERS if any(finding.outcome == "differs" for finding in findings) else 0


def find_all(tokenizer: "Tokenizer", directory: Path, sample: "list[Excerpt]") -> "Iterator[Finding]":
    """Every comparison that can be made."""
    from homespun.tokenizer.sample import Excerpt
    from homespun.tokenizer.verification import (
        check_decoding,
        check_streaming,
        check_threads,
        check_training,
        compare_ids,
        reference_encoder,
    )

    # Each excerpt is followed by a special token, so that each special token is tested.
    names = list(tokenizer.special_tokens)
    marked = [
        Excerpt(excerpt.where, excerpt.text + (names[number % len(names)] if names else ""))
        for number, excerpt in enumerate(sample)
    ]
    yield from compare_with_tiktoken(tokenizer, marked)
    yield from compare_with_tokenizers(tokenizer, directory, marked)
    pretokenize = find_pretokenizer(tokenizer)
    if isinstance(pretokenize, str):
        for check in ("ids", "merges", "decoding"):
            yield _skipped(check, "reference", pretokenize)
    else:
        yield compare_ids(tokenizer, marked, reference_encoder(tokenizer, pretokenize), "reference")
        yield from check_training(tokenizer, marked, pretokenize)
        yield check_decoding(tokenizer, marked, pretokenize)
    yield check_streaming(tokenizer, marked)
    yield check_threads(tokenizer, marked)


def check_own_merges(
    tokenizer: "Tokenizer", files: "list[InputFile]", text_key: str, *, is_training_text: bool
) -> "Finding":
    """Whether training on the files again gives the tokenizer's merges, where they are what it was trained on."""
    from homespun.tokenizer.counting.options import CountOptions
    from homespun.tokenizer.train import train_bpe
    from homespun.tokenizer.verification import compare_merges

    if not is_training_text:
        return _skipped("merges", "training again", "say --retrain if TEXT is what this tokenizer was trained on")
    specials = list(tokenizer.special_tokens)
    with progress_bar("training again", "steps") as on_progress:
        size = 256 + len(specials) + len(tokenizer.merges)
        _, merges = train_bpe(
            files,
            size,
            specials,
            pattern=tokenizer.pattern,
            options=CountOptions(text_key=text_key),
            on_progress=on_progress,
        )
    return compare_merges(tokenizer.merges, merges, "training again")


def compare_with_tiktoken(tokenizer: "Tokenizer", excerpts: "list[Excerpt]") -> "Iterator[Finding]":
    """Our ids against those of tiktoken, given our vocabulary."""
    from homespun.tokenizer.verification import compare_ids

    try:
        import tiktoken
    except ImportError as error:
        yield _skipped("ids", "tiktoken", str(MissingPackageError.for_import(error, "this comparison")))
        return
    # tiktoken has ranks instead of merges: a token's rank is its position in this list, which may differ from its id.
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += dict.fromkeys(left + right for left, right in tokenizer.merges)
    if missing := set(tokens) - set(tokenizer.vocab.values()):
        yield _skipped("ids", "tiktoken", f"it needs all 256 bytes in the vocabulary, which lacks {len(missing)}")
        return
    specials = list(tokenizer.special_tokens)
    if nested := next(((a, b) for a in specials for b in specials if a != b and a in b), None):
        reason = (
            f"it does not define which of nested special tokens it finds, and {nested[0]!r} is within {nested[1]!r}"
        )
        yield _skipped("ids", "tiktoken", reason)
        return
    if tokenizer.added_tokens:
        yield _skipped("ids", "tiktoken", "it has no added tokens that are not special")
        return
    ids = [*map(tokenizer.token_to_id, tokens), *tokenizer.special_tokens.values()]
    try:
        theirs = tiktoken.Encoding(
            "ours",
            pat_str=tokenizer.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
            special_tokens={name: len(tokens) + number for number, name in enumerate(specials)},
        )
    # It has no class of errors of its own.
    except Exception as error:
        yield _skipped("ids", "tiktoken", f"it cannot run this pattern ({_one_line(error)})")
        return
    name = f"tiktoken {tiktoken.__version__}"
    yield compare_ids(
        tokenizer, excerpts, lambda text: [ids[rank] for rank in theirs.encode(text, allowed_special="all")], name
    )
    yield compare_ids(
        tokenizer, excerpts, lambda text: [ids[rank] for rank in theirs.encode_ordinary(text)], name, special="text"
    )


def compare_with_tokenizers(tokenizer: "Tokenizer", directory: Path, excerpts: "list[Excerpt]") -> "Iterator[Finding]":
    """Our ids against those of tokenizers, which reads the same tokenizer.json, or the one we write."""
    from homespun.tokenizer.verification import compare_ids

    try:
        import tokenizers
    except ImportError as error:
        yield _skipped("ids", "tokenizers", str(MissingPackageError.for_import(error, "this comparison")))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = directory / "tokenizer.json"
        try:
            if not path.exists():
                tokenizer.save(folder)
                path = Path(folder, "tokenizer.json")
            theirs = tokenizers.Tokenizer.from_file(str(path))
        except TokenizerError as error:
            yield _skipped("ids", "tokenizers", str(error))
            return
        # It raises bare Exceptions.
        except Exception as error:
            yield _skipped("ids", "tokenizers", f"it cannot read {path.name} ({_one_line(error)})")
            return
    yield compare_ids(
        tokenizer,
        excerpts,
        lambda text: theirs.encode(text, add_special_tokens=False).ids,
        f"tokenizers {tokenizers.__version__}",
    )


def find_pretokenizer(tokenizer: "Tokenizer") -> "Pretokenize | str":
    """The reference's splitter for the tokenizer's pattern, Python's `regex` for a free one, or why there is none."""
    from homespun.tokenizer.patterns import name_of_pattern
    from homespun.tokenizer.reference_splitting import SPLITS, split_at_matches

    name = name_of_pattern(tokenizer.pattern)
    if name in SPLITS:
        return SPLITS[name]
    try:
        import regex
    except ImportError as error:
        return str(MissingPackageError.for_import(error, "a pattern of its own"))
    try:
        compiled = regex.compile(tokenizer.pattern)
    except regex.error as error:
        return f"Python's regex cannot run this pattern ({_one_line(error)})"
    return lambda text: split_at_matches(text, (match.span() for match in compiled.finditer(text)))


def print_table(findings: "list[Finding]") -> None:
    """One line per comparison."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "against", "result", "on", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.check, finding.against, finding.outcome, finding.extent)
    Console(highlight=False, markup=False).print(table)


def _skipped(check: str, against: str, reason: str) -> "Finding":
    from homespun.tokenizer.verification import Finding

    return Finding(check=check, against=against, outcome="skipped", note=reason)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
