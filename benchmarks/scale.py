"""What a corpus of trillions of tokens costs, computed from what one core does with smaller texts.

    python benchmarks/scale.py TEXT... --tokenizer DIR [--vocab-size 100000]   measure, write results/scale.json
    python benchmarks/scale.py --page                             write the tables of docs/design/scale.md from it

Measured of each text: counting, merging and encoding on one thread, each in a fresh process, page cache warm, in
seconds of processor time, which is what core-hours are made of. Everything else is arithmetic on these figures, in
`estimate`, which a test holds the page to.
"""

import argparse
import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import RESULTS, print_table, report, run_in_turn, summarise, versions, warm_page_cache, write_result

SEPARATOR = "<|endoftext|>"
PAGE = Path(__file__).parents[1] / "docs" / "design" / "scale.md"

# What the corpus is, and what a cluster costs: assumptions, not measurements.
NUM_TOKENS = 15e12
PRICE_PER_CORE_HOUR = 0.04
NETWORK_BYTES_PER_SECOND = 1.25e9  # of one machine: 10 Gbit/s
CORES_PER_MACHINE = 64
NUM_MACHINES = 100


def run_count(text: Path, fraction: int = 1) -> dict[str, object]:
    """Count the first `fraction`-th of a text into a counts file."""
    from homespun import _native
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer import CountOptions
    from homespun.tokenizer.counting.job import count_corpus

    with tempfile.TemporaryDirectory() as folder:
        if fraction > 1:
            size = text.stat().st_size // fraction
            end = _native.first_cut(text, size, [SEPARATOR], _native.GPT2_PATTERN)
            with text.open("rb") as file:
                text = Path(folder, "text.txt")
                text.write_bytes(file.read(end))
        began = time.process_time()
        out = Path(folder, "text.counts")
        sums = count_corpus(expand_inputs(text), out, [SEPARATOR], options=CountOptions(num_threads=1))
        seconds = time.process_time() - began
        return {"seconds": seconds, "num_pretokens": sums.num_pretokens, "counts_bytes": out.stat().st_size}


def run_merge(text: Path, vocab_size: int) -> dict[str, object]:
    """Merge counts that are in memory."""
    from homespun.corpus.inputs import expand_inputs
    from homespun.tokenizer import CountOptions
    from homespun.tokenizer.counting.job import count_pretokens
    from homespun.tokenizer.train import merge_counts

    options = CountOptions(num_threads=1, max_memory_bytes=200 << 20)
    counts = count_pretokens(expand_inputs(text), [SEPARATOR], options=options)
    began = time.process_time()
    _, merges = merge_counts(counts, vocab_size, [SEPARATOR], options=options)
    return {"seconds": time.process_time() - began, "num_pretokens": len(counts), "num_merges": len(merges)}


def run_encode(text: Path, tokenizer_directory: str, *, as_parquet: bool = False) -> dict[str, object]:
    """Encode a text into a token data set, from plain text or from a parquet file of its documents."""
    from homespun.data import encode_corpus
    from homespun.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(tokenizer_directory)
    with tempfile.TemporaryDirectory() as folder:
        source = write_parquet(text, Path(folder, "text.parquet")) if as_parquet else text
        began = time.process_time()
        dataset = encode_corpus(tokenizer, source, Path(folder, "tokens"), num_threads=1)
        seconds = time.process_time() - began
        return {"seconds": seconds, "num_tokens": len(dataset), "id_bytes": dataset.manifest.origin.dtype.itemsize}


def write_parquet(text: Path, path: Path) -> Path:
    """The documents of a text as rows, compressed as data sets on the hub are."""
    import pyarrow
    from pyarrow import parquet

    from homespun.corpus import read_documents

    parquet.write_table(pyarrow.table({"text": list(read_documents(text))}), path, compression="zstd")
    return path


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One core's figures for one text."""

    name: str
    text_bytes: int
    count_seconds: float
    merge_seconds: float
    encode_seconds: float
    parquet_seconds: float
    """To encode the same documents from parquet."""
    num_pretokens: int
    """Distinct ones of the whole text."""
    growth: float
    """b, where distinct pre-tokens grow as bytes**b, between the text's first quarter and all of it."""
    counts_bytes: int
    merge_bytes: int
    """Peak memory of the process that merges, the counts included."""
    num_tokens: int
    id_bytes: int

    @classmethod
    def read(cls, measured: dict[str, Any]) -> "Measured":
        rows = {row["name"]: row for row in measured["rows"]}
        count, quarter, merge = rows["count"]["extra"], rows["count-4"]["extra"], rows["merge"]
        return cls(
            name=measured["name"],
            text_bytes=measured["num_bytes"],
            count_seconds=rows["count"]["median_seconds"],
            merge_seconds=merge["median_seconds"],
            encode_seconds=rows["encode"]["median_seconds"],
            parquet_seconds=rows["encode-parquet"]["median_seconds"],
            num_pretokens=count["num_pretokens"],
            growth=math.log(count["num_pretokens"] / quarter["num_pretokens"], 4),
            counts_bytes=count["counts_bytes"],
            merge_bytes=int(merge["median_peak_memory_bytes"]),
            num_tokens=rows["encode"]["extra"]["num_tokens"],
            id_bytes=rows["encode"]["extra"]["id_bytes"],
        )


def describe(measured: Measured) -> dict[str, str]:
    """What one core did."""
    megabytes = measured.text_bytes / 1e6
    return {
        "size": f"{megabytes:,.0f} MB",
        "bytes a token": f"{measured.text_bytes / measured.num_tokens:.2f}",
        "counting, to a file of counts": f"{megabytes / measured.count_seconds:,.0f} MB a core-second",
        "encoding, plain text to a data set": f"{megabytes / measured.encode_seconds:,.0f} MB a core-second",
        "encoding, parquet to a data set": f"{megabytes / measured.parquet_seconds:,.0f} MB a core-second",
        "merging": f"{measured.merge_seconds:.2f} core-seconds, {measured.merge_bytes / 1e6:,.0f} MB",
        "distinct pre-tokens": f"{measured.num_pretokens:,}",
        "their growth at the end": f"bytes^{measured.growth:.2f}",
        "file of counts": f"{measured.counts_bytes / measured.num_pretokens:.1f} bytes a pre-token",
    }


def estimate(measured: Measured) -> dict[str, str]:
    """What a corpus of `NUM_TOKENS` costs, were all of it like the text."""
    from homespun.data.encode import SHARD_BYTES

    text_bytes = NUM_TOKENS * measured.text_bytes / measured.num_tokens
    scale = text_bytes / measured.text_bytes
    times_pretokens = scale**measured.growth
    id_bytes = NUM_TOKENS * measured.id_bytes
    seconds = measured.count_seconds + measured.parquet_seconds
    core_hours = scale * seconds / 3600
    # Text is read twice, to count and to encode; ids are written once.
    network_bytes = 2 * text_bytes + id_bytes
    compute_hours = core_hours / (NUM_MACHINES * CORES_PER_MACHINE)
    network_hours = network_bytes / (NUM_MACHINES * NETWORK_BYTES_PER_SECOND) / 3600
    return {
        "text, uncompressed": f"{text_bytes / 1e12:,.0f} TB",
        "counting": f"{scale * measured.count_seconds / 3600:,.0f} core-hours",
        "distinct pre-tokens (extrapolated)": f"{measured.num_pretokens * times_pretokens / 1e6:,.0f} million",
        "counts on disk": f"{measured.counts_bytes * times_pretokens / 1e9:,.1f} GB",
        "merging, in memory": f"{measured.merge_bytes * times_pretokens / 1e9:,.0f} GB",
        "merging": f"{measured.merge_seconds * times_pretokens / 3600:,.1f} hours on one machine",
        "encoding, from plain text": f"{scale * measured.encode_seconds / 3600:,.0f} core-hours",
        "encoding, from parquet": f"{scale * measured.parquet_seconds / 3600:,.0f} core-hours",
        "token ids": f"{id_bytes / 1e12:,.0f} TB in {math.ceil(text_bytes / SHARD_BYTES):,} shards",
        "over the network": f"{network_bytes / 1e12:,.0f} TB",
        "counting and encoding from parquet": f"{core_hours:,.0f} core-hours",
        "their price": f"{core_hours * PRICE_PER_CORE_HOUR:,.0f} USD",
        "their time, by cores": f"{compute_hours:,.2f} hours",
        "their time, by network": f"{network_hours:,.2f} hours",
    }


def page_tables(result: dict[str, Any]) -> str:
    """Both tables, as they stand on the page."""
    texts = [Measured.read(measured) for measured in result["texts"]]
    circumstances = (
        f"{result['machine']['cpu']}, {result['date']}; one thread, medians of {result['repeats']}. Encoding with a "
        f"vocabulary of {result['tokenizer_size']:,} tokens, merging to one of {result['vocab_size']:,}."
    )
    described, estimated = ([work(text) for text in texts] for work in (describe, estimate))
    return "\n".join(
        [
            circumstances,
            "",
            *table("measured", texts, described),
            "",
            *table(f"{NUM_TOKENS / 1e12:.0f} trillion tokens like", texts, estimated),
        ]
    )


def table(title: str, texts: Sequence[Measured], columns: Sequence[dict[str, str]]) -> list[str]:
    """A table with a column a text."""
    lines = [f"| {title} | {' | '.join(text.name for text in texts)} |", "|---" * (len(texts) + 1) + "|"]
    return lines + [f"| {name} | {' | '.join(column[name] for column in columns)} |" for name in columns[0]]


def write_page(page: Path, result: dict[str, Any]) -> None:
    """Put the tables between the page's marks."""
    text = page.read_text(encoding="utf-8")
    marks = r"(<!-- computed -->\n).*(\n<!-- end -->)"
    page.write_text(re.sub(marks, lambda m: m[1] + page_tables(result) + m[2], text, flags=re.DOTALL), encoding="utf-8")


def measure(text: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Run every contender on one text."""
    warm_page_cache(text)
    arguments = [str(text), "--tokenizer", asked.tokenizer, "--vocab-size", str(asked.vocab_size)]
    runs = run_in_turn(Path(__file__), list(contenders(text, asked)), arguments, repeats=asked.repeats, num_threads=1)
    num_bytes = text.stat().st_size
    rows = summarise(runs, "count", num_bytes)
    print_table(f"{text.name}, core-seconds", rows)
    return {"name": text.name, "num_bytes": num_bytes, "rows": rows}


def contenders(text: Path, asked: argparse.Namespace) -> dict[str, Callable[[], dict[str, object]]]:
    """What is measured, by its name."""
    return {
        "count": lambda: run_count(text),
        "count-4": lambda: run_count(text, 4),
        "merge": lambda: run_merge(text, asked.vocab_size),
        "encode": lambda: run_encode(text, asked.tokenizer),
        "encode-parquet": lambda: run_encode(text, asked.tokenizer, as_parquet=True),
    }


def main() -> None:
    from homespun.tokenizer import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="*")
    parser.add_argument("--tokenizer", default="")
    parser.add_argument("--vocab-size", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--run", default="")
    asked = parser.parse_args()
    if asked.page:
        write_page(PAGE, json.loads((RESULTS / "scale.json").read_text(encoding="utf-8")))
        return
    if asked.run:
        report(contenders(asked.texts[0], asked)[asked.run]())
        return
    content = {
        "texts": [measure(text, asked) for text in asked.texts],
        "tokenizer_size": Tokenizer.load(asked.tokenizer).vocab_size,
        "vocab_size": asked.vocab_size,
        "repeats": asked.repeats,
        "versions": versions("homespun", "numpy", "pyarrow"),
    }
    write_result("scale", content)


if __name__ == "__main__":
    main()
