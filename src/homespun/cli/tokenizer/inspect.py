"""`homespun tokenizer inspect`: what a tokenizer is, and how it cuts a text."""

from pathlib import Path
from typing import TYPE_CHECKING

from homespun.cli.parsing import CommandParser
from homespun.errors import escape_unprintable

if TYPE_CHECKING:
    from homespun.tokenizer.tokenizer import Tokenizer

NUM_LONGEST = 10


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(prog="homespun tokenizer inspect", description="Show a tokenizer, and how it cuts a text.")
    parser.add_argument("tokenizer", type=Path, metavar="DIR", help="a tokenizer directory")
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a text to show cut into tokens")
    return parser


def main(arguments: list[str]) -> int:
    """Print the tokenizer's facts, or a text's tokens."""
    options = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    from homespun.tokenizer.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(options.tokenizer)
    print(describe_tokenizer(tokenizer) if options.text is None else describe_text(tokenizer, options.text))
    return 0


def describe_tokenizer(tokenizer: "Tokenizer") -> str:
    """Sizes, special tokens, pattern, fingerprint and the longest tokens, one per line."""
    from homespun.tokenizer.patterns import name_of_pattern

    special_tokens = ", ".join(f"{name} {id_}" for name, id_ in tokenizer.special_tokens.items()) or "none"
    merged = {left + right for left, right in tokenizer.merges}
    longest = sorted(merged, key=lambda token: (-len(token), token))[:NUM_LONGEST]
    return "\n".join(
        [
            f"vocabulary      {len(tokenizer):,} tokens",
            f"merges          {len(tokenizer.merges):,}",
            f"special tokens  {special_tokens}",
            f"pattern         {name_of_pattern(tokenizer.pattern)}",
            f"fingerprint     {tokenizer.fingerprint}",
            "longest tokens",
            *(f"  {tokenizer.token_to_id(token):>8}  |{show_token(token)}|" for token in longest),
        ]
    )


def describe_text(tokenizer: "Tokenizer", text: str) -> str:
    """The tokens of `text` between bars, their ids, and bytes per token."""
    ids = tokenizer.encode(text)
    num_bytes = len(text.encode())
    ratio = f"{num_bytes / len(ids):.2f}" if ids else "no"
    return "\n".join(
        [
            "|" + "|".join(show_token(tokenizer.id_to_token(id_)) for id_ in ids) + "|",
            " ".join(map(str, ids)),
            f"{num_bytes:,} bytes, {len(ids):,} tokens: {ratio} bytes per token",
        ]
    )


def show_token(token: bytes) -> str:
    r"""A token as text; characters that cannot be shown, and bytes of an incomplete one, are escaped.

    >>> print(show_token(b" the"), show_token(b"\n"), show_token(b"\xf0\x9f"))
     the \n \xf0\x9f
    """
    return escape_unprintable(token.decode("utf-8", errors="backslashreplace"))
