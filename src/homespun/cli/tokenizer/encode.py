"""`homespun tokenizer encode`: the ids of a text, printed or written as a NumPy file."""

import sys
from pathlib import Path
from typing import get_args

from homespun.cli.parsing import CommandParser


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


def read_text(file: str) -> str:
    """The text of a file, or of standard input for "-".

    Raises:
        MissingFileError: there is no such file.
        DataError: it is not valid UTF-8; the message has the byte's offset.
    """
    from homespun.errors import DataError
    from homespun.files import check_is_file

    if file != "-":
        check_is_file(Path(file), "a text to encode", "name a UTF-8 text file, or give the text itself with --text")
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = "standard input" if file == "-" else file
        raise DataError(f"{where}: byte {error.start} is not valid UTF-8; convert the text to UTF-8 first") from error
