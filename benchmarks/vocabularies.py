"""The vocabularies that encoders are compared on, written as each library reads them."""

import argparse
import base64
from pathlib import Path

SEPARATOR = "<|endoftext|>"
TIKTOKEN_FILE = "vocabulary.tiktoken"
"""Tokens and ranks, next to the tokenizer's own files, for libraries that read no other."""
PATTERN_FILE = "pattern.txt"
"""The pattern as tiktoken writes it."""

NUM_CL100K_TOKENS = 100_256
PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"
    r"|\s*[\r\n]|\s+(?!\S)|\s",
}


def add_vocabulary(parser: argparse.ArgumentParser) -> None:
    """The vocabulary to compare on; `--tokenizer` is its directory, for the processes that a comparison starts."""
    parser.add_argument("--vocabulary", choices=PATTERNS, default="gpt2")
    parser.add_argument("--gpt2", type=Path, help="the folder of gpt2_vocab.json and gpt2_merges.txt")
    parser.add_argument("--tokenizer", type=Path, help=argparse.SUPPRESS)


def save_vocabulary(name: str, gpt2_files: Path | None, parent: Path) -> Path:
    """Write a vocabulary to a directory of its name, which is returned.

    Args:
        name: "gpt2", from its files, or "cl100k", which rs-bpe carries.
        gpt2_files: The folder of gpt2_vocab.json and gpt2_merges.txt.
        parent: Where the directory is made.
    """
    from homespun.tokenizer import Tokenizer

    directory = parent / name
    directory.mkdir()
    if name == "cl100k":
        write_tiktoken(directory / TIKTOKEN_FILE, read_cl100k())
        Tokenizer.from_tiktoken(directory / TIKTOKEN_FILE, {SEPARATOR: NUM_CL100K_TOKENS + 1}, pattern="gpt4").save(
            directory
        )
    else:
        if gpt2_files is None:
            raise SystemExit("name the folder of gpt2_vocab.json and gpt2_merges.txt: --gpt2 FOLDER")
        tokenizer = Tokenizer.from_files(gpt2_files / "gpt2_vocab.json", gpt2_files / "gpt2_merges.txt", [SEPARATOR])
        tokenizer.save(directory)
        special_ids = set(tokenizer.special_tokens.values())
        ranks = {token: id_ for id_, token in tokenizer.vocab.items() if id_ not in special_ids}
        write_tiktoken(directory / TIKTOKEN_FILE, ranks)
    (directory / PATTERN_FILE).write_text(PATTERNS[name], encoding="utf-8")
    return directory


def read_cl100k() -> dict[bytes, int]:
    """cl100k_base's tokens and their ranks, asked of the library that carries them."""
    from rs_bpe.bpe import openai  # pyright: ignore[reportMissingImports] - in the extra "bench"

    encoding = openai.cl100k_base().bpe()
    return {encoding.decode_tokens([rank]): rank for rank in range(NUM_CL100K_TOKENS)}


def write_tiktoken(path: Path, ranks: dict[bytes, int]) -> None:
    """Write tiktoken's format: a token in base64 and its rank a line."""
    lines = (f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())
    path.write_text("".join(lines), encoding="ascii")
