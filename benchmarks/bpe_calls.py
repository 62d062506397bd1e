"""Single calls from Python: `encode` of a short string and `decode` of many ids, against the peers.

    python benchmarks/bpe_calls.py TEXT --gpt2 FOLDER [--repeats 5] [--megabytes 20]
    python benchmarks/bpe_calls.py TEXT --vocabulary cl100k

"encode" is the time of one call with a string of about 50 bytes, each call another string of the text, as the mean
over all of them, in the second round (so everything is warm). "decode" is the time to turn the ids of the text's first
megabytes back into a string; they are given as the library's own `encode` returned them, as an array where it has one.
"""

import tempfile
import time
from pathlib import Path

from harness import chosen_names, make_parser, print_table, report, run_in_turn, summarise, write_comparison
from peers import IMPORTERS, peers_knowing
from vocabularies import SEPARATOR, add_vocabulary, save_vocabulary

NUM_STRINGS = 20_000
STRING_CHARACTERS = 50


def measure(name: str, directory: Path, text: Path, num_bytes: int) -> dict[str, object]:
    """Time the calls; "seconds" is one short encode."""
    encoder = IMPORTERS[name]()(directory)
    with text.open("rb") as file:
        document = file.read(num_bytes).decode(errors="ignore").replace(SEPARATOR, "\n")
    starts = range(0, len(document) - STRING_CHARACTERS, max(1, len(document) // NUM_STRINGS))
    strings = [document[start : start + STRING_CHARACTERS] for start in starts]
    encode = encoder.encode
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for string in strings:
            encode(string)
        seconds = (time.perf_counter() - began) / len(strings)
    ids = encoder.encode_long(document)
    began = time.perf_counter()
    decoded = encoder.decode(ids)
    decode_seconds = time.perf_counter() - began
    if decoded != document:
        raise SystemExit(f"{name} decodes to another text")
    return {"seconds": seconds, "decode_seconds": decode_seconds}


def main() -> None:
    parser = make_parser(__doc__, IMPORTERS)
    add_vocabulary(parser)
    parser.add_argument("text", type=Path)
    parser.add_argument("--megabytes", type=int, default=20)
    chosen = parser.parse_args()
    num_bytes = min(chosen.megabytes * 1_000_000, chosen.text.stat().st_size)
    if chosen.run:
        report(measure(chosen.run, chosen.tokenizer, chosen.text, num_bytes))
        return
    names = chosen_names(chosen, peers_knowing(chosen.vocabulary, IMPORTERS))
    with tempfile.TemporaryDirectory() as parent:
        directory = save_vocabulary(chosen.vocabulary, chosen.gpt2, Path(parent))
        arguments = [str(chosen.text), "--tokenizer", str(directory), "--megabytes", str(chosen.megabytes)]
        runs = run_in_turn(Path(__file__), names, arguments, repeats=chosen.repeats, num_threads=chosen.threads)
    encode_rows = summarise(runs, ours="homespun")
    print_table(f"{chosen.vocabulary}: one call of encode with {STRING_CHARACTERS} characters", encode_rows)
    decode = {name: [run | {"seconds": run["decode_seconds"]} for run in measured] for name, measured in runs.items()}
    decode_rows = summarise(decode, ours="homespun", num_bytes=num_bytes)
    print_table(f"{chosen.vocabulary}: decode of the ids of {num_bytes:,} bytes", decode_rows)
    write_comparison(
        f"bpe_calls-{chosen.vocabulary}",
        chosen,
        names,
        {
            "text": chosen.text.name,
            "num_bytes": num_bytes,
            "vocabulary": chosen.vocabulary,
            "encode": encode_rows,
            "decode": decode_rows,
        },
    )


if __name__ == "__main__":
    main()
