"""`homespun tokenizer encode`: the ids of a text, printed or written as a NumPy file."""

import sys
from pathlib import Path

from homespun.cli.parsing import CommandParser


def build_parser() -> CommandParser:
    """The command's arguments."""
    parser = CommandParser(prog="homespun tokenizer encode", description="Print the ids of a text.")
    parser.add_argument("tokenizer", type=Path, metavar="DIR", help="a tokenizer directory")
    parser.add_argument("text", metavar="TEXT", help="the text itself, or - to read it from standard input")
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
    # Imported here, so that `--help` waits for nothing.
    import numpy as np

    from homespun.config import check_choice
    from homespun.files import write_atomically
    from homespun.tokenizer.tokenizer import SPECIAL_POLICIES, Tokenizer

    check_choice("--special", asked.special, SPECIAL_POLICIES)
    tokenizer = Tokenizer.load(asked.tokenizer)
    text = sys.stdin.buffer.read() if asked.text == "-" else asked.text
    ids = tokenizer.encode_to_numpy(text, asked.special)
    if asked.out is None:
        print(*ids.tolist())
        return 0
    dtype = np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32
    with write_atomically(asked.out) as file:
        np.save(file, ids.astype(dtype))
    print(f"{len(ids):,} ids written to {asked.out} as {np.dtype(dtype)}")
    return 0
