"""Training a byte-level BPE tokenizer: homespun against its peers, in turn, each in a fresh process.

    python benchmarks/bpe_train.py TEXT --vocab-size 32000 [--repeats 5] [--threads 2] [--only homespun,gigatoken]

Timed from opening the text to the finished merges; importing is apart ("import_seconds"). The page cache is warm: the
text is read once before the first turn. All use GPT-2's pattern and keep <|endoftext|> whole; the tie rule is each
one's own, so the vocabularies agree but for ties.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import (
    chosen_names,
    make_parser,
    print_table,
    report,
    run_in_turn,
    summarise,
    warm_page_cache,
    write_comparison,
)

SEPARATOR = "<|endoftext|>"
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Measurement = dict[str, object]
Trainer = Callable[[], tuple[int, str]]


def documents(text: Path) -> Iterator[str]:
    """The text between separators, for peers that take an iterator of strings."""
    yield from text.read_text(encoding="utf-8").split(SEPARATOR)


def timed(train: Trainer, import_seconds: float) -> Measurement:
    began = time.perf_counter()
    num_merges, digest = train()
    return {
        "seconds": time.perf_counter() - began,
        "import_seconds": import_seconds,
        "num_merges": num_merges,
        "sha256": digest,
    }


def digest_of(merges: object) -> str:
    return hashlib.sha256(repr(merges).encode()).hexdigest()[:16]


def run_homespun(text: Path, vocab_size: int, num_threads: int) -> Measurement:
    began = time.perf_counter()
    from homespun.tokenizer import CountOptions, train_bpe

    def train() -> tuple[int, str]:
        merges = train_bpe(text, vocab_size, [SEPARATOR], options=CountOptions(num_threads=num_threads))[1]
        return len(merges), digest_of(merges)

    return timed(train, time.perf_counter() - began)


def run_gigatoken(text: Path, vocab_size: int, num_threads: int) -> Measurement:
    began = time.perf_counter()
    import gigatoken  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def train() -> tuple[int, str]:
        source = gigatoken.TextFileSource([text], separator=SEPARATOR)
        merges = gigatoken.train_bpe(source, vocab_size, [SEPARATOR])[1]
        return len(merges), digest_of(merges)

    return timed(train, time.perf_counter() - began)


def run_rustbpe(text: Path, vocab_size: int, num_threads: int) -> Measurement:
    began = time.perf_counter()
    import rustbpe  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def train() -> tuple[int, str]:
        tokenizer = rustbpe.Tokenizer()  # pyright: ignore[reportAttributeAccessIssue] - it ships no types
        tokenizer.train_from_iterator(documents(text), vocab_size - 1, pattern=PATTERN)
        ranks = tokenizer.get_mergeable_ranks()
        return len(ranks) - 256, digest_of(ranks)

    return timed(train, time.perf_counter() - began)


def run_bpeasy(text: Path, vocab_size: int, num_threads: int) -> Measurement:
    began = time.perf_counter()
    import bpeasy  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def train() -> tuple[int, str]:
        vocab = bpeasy.train_bpe(documents(text), PATTERN, 128, vocab_size - 1)
        return len(vocab) - 256, digest_of(sorted(vocab.items()))

    return timed(train, time.perf_counter() - began)


def run_tokenizers(text: Path, vocab_size: int, num_threads: int) -> Measurement:
    began = time.perf_counter()
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def train() -> tuple[int, str]:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[SEPARATOR],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(documents(text), trainer)
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        return len(merges), digest_of(merges)

    return timed(train, time.perf_counter() - began)


CONTENDERS = {
    "homespun": run_homespun,
    "gigatoken": run_gigatoken,
    "rustbpe": run_rustbpe,
    "bpeasy": run_bpeasy,
    "tokenizers": run_tokenizers,
}


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS)
    parser.add_argument("text", type=Path)
    parser.add_argument("--vocab-size", type=int, required=True)
    chosen = parser.parse_args()
    if chosen.run:
        report(CONTENDERS[chosen.run](chosen.text, chosen.vocab_size, chosen.threads))
        return
    warm_page_cache(chosen.text)
    names = chosen_names(chosen, CONTENDERS)
    arguments = [str(chosen.text), "--vocab-size", str(chosen.vocab_size), "--threads", str(chosen.threads)]
    runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
    num_bytes = chosen.text.stat().st_size
    rows = summarise(runs, ours="homespun", num_bytes=num_bytes)
    print_table(
        f"{chosen.text.name}: {num_bytes:,} bytes to {chosen.vocab_size:,} tokens, {chosen.threads} threads", rows
    )
    write_comparison(
        f"bpe_train-{chosen.text.stem}-{chosen.vocab_size}",
        chosen,
        names,
        {
            "text": chosen.text.name,
            "num_bytes": num_bytes,
            "vocab_size": chosen.vocab_size,
            "instructions": os.environ.get("HOMESPUN_INSTRUCTIONS", "all"),
            "results": rows,
        },
    )


if __name__ == "__main__":
    main()
