"""`homespun tokenizer encode`: the ids of a text, printed or written as a NumPy file."""

from pathlib import Path
from typing import get_args

from homespun.cli.parsing import CommandParser, read_text


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(prog="homespun tokenizer encode", description="Print the ids of a text.")
    parser.add_argument("tokenizer", type=Path, metavar="DIR", help="a tokenizer directory")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", metavar="FILE", help="a UTF-8 text file, or - for standard input")
    source.add_argument("--text", metavar="TEXT", help="the text itself")
    parser.add_argument(
        "--special",
        default="encode",
        metavar="POLICY",
        help="what a special token in the text becomes: its id (encode, the default), text, or an error (reject)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.npy", help="write the ids there instead of printing them")
    return parser


def main(arguments: list[str]) -> int:
    """Encode and print or write."""
    asked = build_parser().parse_args(arguments)
    # Imported here so that `--help` is fast.
    import numpy as np

    from homespun.config import check_choice
    from homespun.data.shard import id_dtype
    from homespun.files import write_atomically
    from homespun.tokenizer.tokenizer import SpecialPolicy, Tokenizer

    check_choice("--special", asked.special, get_args(SpecialPolicy))
    tokenizer = Tokenizer.load(asked.tokenizer)
    ids = tokenizer.encode_to_numpy(read_text(asked.file) if asked.text is None else asked.text, asked.special)
    if asked.out is None:
        print(*ids.tolist())
        return 0
    dtype = id_dtype(tokenizer.vocab_size)
    with write_atomically(asked.out) as file:
        np.save(file, ids.astype(dtype))
    print(f"{len(ids):,} ids written to {asked.out} as {dtype}")
    return 0
