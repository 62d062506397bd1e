"""`homespun tokenizer verify`: our ids and merges against the reference and other people's tokenizers."""

from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser, parse_size
from homespun.cli.progress import progress_bar
from homespun.cli.text_options import DEFAULT_TEXT_KEY, add_inputs, add_separator, add_text_key

if TYPE_CHECKING:
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
    from homespun.cli.tokenizer.peers import compare_on_sample, train_again
    from homespun.config import check_at_least
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer.sample import take_sample
    from homespun.tokenizer.tokenizer import Tokenizer
    from homespun.tokenizer.verification import Finding

    check_at_least("--sample", options.sample, 1)
    tokenizer = Tokenizer.load(options.tokenizer)
    files, text_key = expand_inputs(options.inputs), options.text_key or DEFAULT_TEXT_KEY
    with progress_bar("reading", "bytes") as on_progress:
        sample = take_sample(
            files, options.sample, separator=options.separator, text_key=text_key, on_progress=on_progress
        )
    findings = list(compare_on_sample(tokenizer, options.tokenizer, sample))
    if options.retrain:
        findings.append(train_again(tokenizer, files, text_key))
    else:
        note = "say --retrain if TEXT is what this tokenizer was trained on"
        findings.append(Finding(check="merges", against="training again", outcome="skipped", note=note))
    print_table(findings)
    num_bytes = sum(len(excerpt.text.encode()) for excerpt in sample)
    print(f"sample: {num_bytes:,} bytes in {len(sample):,} excerpts, evenly spaced over {len(files):,} file(s)")
    for finding in findings:
        if finding.note:
            print(f"{finding.check}, {finding.against}: {finding.outcome}: {finding.note}")
    return EXIT_DIFFERS if any(finding.outcome == "differs" for finding in findings) else 0


def print_table(findings: "list[Finding]") -> None:
    """One line per comparison."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "against", "result", "on", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.check, finding.against, finding.outcome, finding.extent)
    Console(highlight=False, markup=False).print(table)
