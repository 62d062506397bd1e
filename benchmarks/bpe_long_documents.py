"""One huge document without rest for an encoder: homespun against its peers, in turn, each in a fresh process.

    python benchmarks/bpe_long_documents.py --gpt2 FOLDER [--megabytes 100] [--repeats 5] [--limit-seconds 60]

The documents: one letter, blanks, one punctuation mark, two letters in turn, random letters, random characters of all
planes. Timed is one string to ids in memory, as an array where the library has one. Many encoders take quadratic time
on some of them: a contender that is not done after --limit-seconds is stopped, stands in the result as such, and takes
no further turn. Memory is what the process had at its peak above what it had before, as a multiple of the text.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import (
    chosen_names,
    make_parser,
    peak_memory_bytes,
    print_table,
    report,
    run_in_turn,
    summarise,
    write_comparison,
)
from peers import IMPORTERS, peers_knowing
from vocabularies import add_vocabulary, save_vocabulary

SURROGATES = range(0xD800, 0xE000)


def random_letters(num_bytes: int) -> str:
    return "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=num_bytes))


def random_characters(num_bytes: int) -> str:
    source = random.Random(0)
    codes = (source.randrange(1, 0x110000) for _ in range(num_bytes * 10 // 39))  # 3.9 bytes each
    return "".join(chr(code) for code in codes if code not in SURROGATES)


DOCUMENTS: dict[str, Callable[[int], str]] = {
    "a": lambda num_bytes: "a" * num_bytes,
    "blanks": lambda num_bytes: " " * num_bytes,
    "carets": lambda num_bytes: "^" * num_bytes,
    "ab": lambda num_bytes: "ab" * (num_bytes // 2),
    "letters": random_letters,
    "characters": random_characters,
}


def measure(name: str, directory: Path, text: Path) -> dict[str, object]:
    """Time one pass over one document."""
    encode = IMPORTERS[name]()(directory).encode_long
    document = text.read_text(encoding="utf-8")
    before = peak_memory_bytes()
    began = time.perf_counter()
    num_ids = len(encode(document))
    seconds = time.perf_counter() - began
    added = peak_memory_bytes() - before
    return {"seconds": seconds, "num_ids": num_ids, "added_memory_per_byte": added / text.stat().st_size}


def main() -> None:
    parser = make_parser(__doc__, IMPORTERS)
    add_vocabulary(parser)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--limit-seconds", type=float, default=60)
    parser.add_argument("--documents", default=",".join(DOCUMENTS), help="which, separated by commas")
    parser.add_argument("--text", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        report(measure(chosen.run, chosen.tokenizer, chosen.text))
        return
    names = chosen_names(chosen, peers_knowing(chosen.vocabulary, IMPORTERS))
    results = {}
    with tempfile.TemporaryDirectory() as parent:
        directory = save_vocabulary(chosen.vocabulary, chosen.gpt2, Path(parent))
        for kind in chosen.documents.split(","):
            text = Path(parent) / "document.txt"
            text.write_text(DOCUMENTS[kind](chosen.megabytes * 1_000_000), encoding="utf-8")
            num_bytes = text.stat().st_size
            runs = run_in_turn(
                Path(__file__),
                names,
                ["--tokenizer", str(directory), "--text", str(text)],
                repeats=chosen.repeats,
                num_threads=chosen.threads,
                limit_seconds=chosen.limit_seconds,
            )
            results[kind] = summarise(runs, ours="homespun", num_bytes=num_bytes)
            print_table(f"{kind}: one document of {num_bytes:,} bytes, {chosen.threads} threads", results[kind])
    write_comparison(
        "bpe_long_documents",
        chosen,
        names,
        {
            "megabytes": chosen.megabytes,
            "vocabulary": chosen.vocabulary,
            "limit_seconds": chosen.limit_seconds,
            "instructions": os.environ.get("HOMESPUN_INSTRUCTIONS", "all"),
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
