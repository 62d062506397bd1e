"""Encoding text with GPT-2's vocabulary: homespun against its peers, in turn, each in a fresh process.

    python benchmarks/bpe_encode.py TEXT --vocab VOCAB.json --merges MERGES.txt [--repeats 5] [--threads 2]

Cold: the first pass of a fresh process, page cache warm, timed from opening the text to the closed result. homespun is
timed twice: "homespun" writes a token data set to disk (file to file, as `homespun prepare` does), "homespun-memory"
returns the ids. The peers return ids in memory. Warm: the second pass of the same process ("warm_seconds"). Import and
loading the tokenizer stand beside it ("import_seconds", "load_seconds").
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness import print_table, run_in_turn, summarise, versions, write_result

SEPARATOR = "<|endoftext|>"
Encode = Callable[[], int]
"""One pass from the file to the result; returns how many ids it made."""


def measure(prepare: Callable[[Path], Callable[[Path], Encode]], tokenizer: Path, text: Path) -> dict[str, object]:
    """Time importing, loading, a cold pass and a warm one."""
    began = time.perf_counter()
    load = prepare(tokenizer)
    imported = time.perf_counter()
    encode = load(text)
    loaded = time.perf_counter()
    num_ids = encode()
    cold = time.perf_counter()
    encode()
    return {
        "seconds": cold - loaded,
        "warm_seconds": time.perf_counter() - cold,
        "import_seconds": imported - began,
        "load_seconds": loaded - imported,
        "num_ids": num_ids,
    }


def prepare_homespun(directory: Path) -> Callable[[Path], Encode]:
    from homespun.data import TokenDataset, encode_corpus
    from homespun.tokenizer import Tokenizer

    def load(text: Path) -> Encode:
        tokenizer = Tokenizer.load(directory)

        def encode() -> int:
            out = Path(tempfile.mkdtemp(dir=directory))
            encode_corpus(tokenizer, [text], out / "ids")
            num_ids = TokenDataset.open(out / "ids").num_tokens
            shutil.rmtree(out)
            return num_ids

        return encode

    return load


def prepare_homespun_memory(directory: Path) -> Callable[[Path], Encode]:
    from homespun.tokenizer import Tokenizer

    def load(text: Path) -> Encode:
        tokenizer = Tokenizer.load(directory)

        def encode() -> int:
            documents = text.read_text(encoding="utf-8").split(SEPARATOR)
            return sum(map(len, tokenizer.encode_batch(documents)))

        return encode

    return load


def prepare_gigatoken(directory: Path) -> Callable[[Path], Encode]:
    import gigatoken  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def load(text: Path) -> Encode:
        tokenizer = gigatoken.Tokenizer(directory / "tokenizer.json")

        def encode() -> int:
            source = gigatoken.TextFileSource([text], separator=SEPARATOR)
            return sum(map(len, tokenizer.encode_files(source)))

        return encode

    return load


def prepare_tiktoken(directory: Path) -> Callable[[Path], Encode]:
    import os

    import tiktoken

    def load(text: Path) -> Encode:
        from homespun.tokenizer import Tokenizer

        ours = Tokenizer.load(directory)
        ranks = {token: index for index, token in ours.vocab.items() if token != SEPARATOR.encode()}
        pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
        encoding = tiktoken.Encoding(
            name="gpt2", pat_str=pattern, mergeable_ranks=ranks, special_tokens={SEPARATOR: max(ranks.values()) + 1}
        )
        num_threads = int(os.environ["RAYON_NUM_THREADS"])

        def encode() -> int:
            documents = text.read_text(encoding="utf-8").split(SEPARATOR)
            return sum(map(len, encoding.encode_ordinary_batch(documents, num_threads=num_threads)))

        return encode

    return load


def prepare_tokenizers(directory: Path) -> Callable[[Path], Encode]:
    from tokenizers import Tokenizer

    def load(text: Path) -> Encode:
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

        def encode() -> int:
            documents = text.read_text(encoding="utf-8").split(SEPARATOR)
            return sum(len(encoded.ids) for encoded in tokenizer.encode_batch(documents))

        return encode

    return load


CONTENDERS = {
    "homespun": prepare_homespun,
    "homespun-memory": prepare_homespun_memory,
    "gigatoken": prepare_gigatoken,
    "tiktoken": prepare_tiktoken,
    "tokenizers": prepare_tokenizers,
}


def save_tokenizer(vocab: Path, merges: Path, directory: Path) -> None:
    from homespun.tokenizer import Tokenizer

    Tokenizer.from_files(vocab, merges, [SEPARATOR]).save(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--vocab", type=Path, help="GPT-2's vocab.json")
    parser.add_argument("--merges", type=Path, help="GPT-2's merges.txt")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, separated by commas")
    parser.add_argument("--name", help="name of the result file (default: bpe_encode-TEXT)")
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--tokenizer", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        json.dump(measure(CONTENDERS[chosen.run], chosen.tokenizer, chosen.text), sys.stdout)
        return
    if chosen.vocab is None or chosen.merges is None:
        parser.error("name GPT-2's files: --vocab VOCAB.json --merges MERGES.txt")
    num_bytes = len(chosen.text.read_bytes())  # warms the page cache
    with tempfile.TemporaryDirectory() as directory:
        save_tokenizer(chosen.vocab, chosen.merges, Path(directory))
        arguments = [str(chosen.text), "--tokenizer", directory, "--threads", str(chosen.threads)]
        names = chosen.only.split(",")
        runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
    rows = summarise(runs, ours="homespun")
    print_table(f"{chosen.text.name}: {num_bytes:,} bytes, GPT-2's vocabulary, cold, {chosen.threads} threads", rows)
    warm = {name: [run | {"seconds": run["warm_seconds"]} for run in measured] for name, measured in runs.items()}
    warm_rows = summarise(warm, ours="homespun-memory" if "homespun-memory" in names else "homespun")
    print_table("warm: the second pass of the same process", warm_rows)
    path = write_result(
        chosen.name or f"bpe_encode-{chosen.text.stem}",
        {
            "text": chosen.text.name,
            "num_bytes": num_bytes,
            "num_threads": chosen.threads,
            "repeats": chosen.repeats,
            "versions": versions("homespun", "gigatoken", "tiktoken", "tokenizers"),
            "cold": rows,
            "warm": warm_rows,
        },
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
