"""Encoding a text file: homespun against its peers, in turn, each in a fresh process.

    python benchmarks/bpe_encode.py TEXT --gpt2 FOLDER [--repeats 5] [--threads 2] [--only homespun,gigatoken]
    python benchmarks/bpe_encode.py TEXT --vocabulary cl100k

Cold: the first pass of a fresh process, page cache warm, timed from opening the text to the closed result. homespun is
timed twice: "homespun" writes a token data set to disk (file to file, as `homespun prepare` does), "homespun-memory"
returns the ids. The peers return ids in memory. Warm: the second pass of the same process. Import and loading the
tokenizer are listed next to it ("import_seconds", "load_seconds"). rs-bpe knows OpenAI's vocabularies only, so it takes
part with --vocabulary cl100k, where homespun and the others use the same.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
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
from peers import IMPORTERS, Loader, num_threads, peers_knowing
from vocabularies import add_vocabulary, save_vocabulary

EncodeFile = Callable[[Path], int]


def import_homespun_to_disk() -> Callable[[Path], EncodeFile]:
    from homespun.data import TokenDataset, encode_corpus
    from homespun.tokenizer import Tokenizer

    def load(directory: Path) -> EncodeFile:
        tokenizer = Tokenizer.load(directory)

        def encode_file(text: Path) -> int:
            out = Path(tempfile.mkdtemp(dir=directory))
            encode_corpus(tokenizer, [text], out / "ids", num_threads=num_threads())
            num_ids = TokenDataset.open(out / "ids").num_tokens
            shutil.rmtree(out)
            return num_ids

        return encode_file

    return load


def into_memory(importer: Callable[[], Loader]) -> Callable[[], Callable[[Path], EncodeFile]]:
    def import_it() -> Callable[[Path], EncodeFile]:
        load = importer()
        return lambda directory: load(directory).encode_file

    return import_it


CONTENDERS: dict[str, Callable[[], Callable[[Path], EncodeFile]]] = {
    "homespun": import_homespun_to_disk,
    "homespun-memory": into_memory(IMPORTERS["homespun"]),
} | {name: into_memory(importer) for name, importer in IMPORTERS.items() if name != "homespun"}


def measure(name: str, directory: Path, text: Path) -> dict[str, object]:
    """Time importing, loading, a cold pass and a warm one."""
    began = time.perf_counter()
    load = CONTENDERS[name]()
    imported = time.perf_counter()
    encode_file = load(directory)
    loaded = time.perf_counter()
    num_ids = encode_file(text)
    cold = time.perf_counter()
    encode_file(text)
    return {
        "seconds": cold - loaded,
        "warm_seconds": time.perf_counter() - cold,
        "import_seconds": imported - began,
        "load_seconds": loaded - imported,
        "num_ids": num_ids,
    }


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS)
    add_vocabulary(parser)
    parser.add_argument("text", type=Path)
    chosen = parser.parse_args()
    if chosen.run:
        report(measure(chosen.run, chosen.tokenizer, chosen.text))
        return
    names = chosen_names(chosen, peers_knowing(chosen.vocabulary, CONTENDERS))
    warm_page_cache(chosen.text)
    num_bytes = chosen.text.stat().st_size
    with tempfile.TemporaryDirectory() as parent:
        directory = save_vocabulary(chosen.vocabulary, chosen.gpt2, Path(parent))
        arguments = [str(chosen.text), "--tokenizer", str(directory)]
        runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
    cold_rows = summarise(runs, ours="homespun", num_bytes=num_bytes)
    title = f"{chosen.text.name}: {num_bytes:,} bytes, {chosen.vocabulary}, {chosen.threads} threads"
    print_table(f"{title}, cold", cold_rows)
    warm = {name: [run | {"seconds": run["warm_seconds"]} for run in measured] for name, measured in runs.items()}
    warm_rows = summarise(warm, ours="homespun-memory", num_bytes=num_bytes)
    print_table(f"{title}, warm: the second pass of the same process", warm_rows)
    suffix = "" if chosen.vocabulary == "gpt2" else f"-{chosen.vocabulary}"
    write_comparison(
        f"bpe_encode-{chosen.text.stem}{suffix}",
        chosen,
        [name for name in names if name in IMPORTERS],
        {
            "text": chosen.text.name,
            "num_bytes": num_bytes,
            "vocabulary": chosen.vocabulary,
            "instructions": os.environ.get("HOMESPUN_INSTRUCTIONS", "all"),
            "cold": cold_rows,
            "warm": warm_rows,
        },
    )


if __name__ == "__main__":
    main()
