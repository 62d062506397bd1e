"""`homespun corpus head`: write the first documents of a text."""

from pathlib import Path

from homespun.cli.parsing import CommandParser, parse_size
from homespun.cli.text_options import DEFAULT_TEXT_KEY, add_separator, add_text_key

_DESCRIPTION = """\
Write the first documents of a text as a text of its own: as many as fit whole into --bytes, separators included.

examples:
  homespun corpus head data/TinyStoriesV2-GPT4-train.txt data/tiny-10MB.txt --bytes 10MB
  homespun corpus head 'https://example.org/web.jsonl.gz' web.txt --bytes 1GB --text-key body"""


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser("homespun corpus head", _DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="text, .jsonl (either also as .gz or .zst), .parquet; path or URL")
    parser.add_argument("out", type=Path, metavar="OUT", help="the text file to write")
    parser.add_argument("--bytes", type=parse_size, required=True, metavar="SIZE", help="at most, such as 10MB")
    add_separator(parser)
    add_text_key(parser)
    parser.add_argument("--force", action="store_true", help="replace OUT if it has another text")
    return parser


def main(arguments: list[str]) -> int:
    """Write the head of a text, and print what was written."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.corpus.head import write_head

    head = write_head(
        options.input,
        options.out,
        max_bytes=options.bytes,
        separator=options.separator,
        text_key=options.text_key or DEFAULT_TEXT_KEY,
        overwrite=options.force,
    )
    whole = ", the whole input" if head.is_whole else ""
    print(f"{options.out}: {head.num_documents:,} documents, {head.num_bytes:,} bytes{whole}, sha256 {head.sha256}")
    return 0
