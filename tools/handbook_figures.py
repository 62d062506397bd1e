"""The handbook's measured figures, made from the files that the experiments and the benchmarks wrote.

    python tools/handbook_figures.py            rewrite them in docs/handbook/*.md
    python tools/handbook_figures.py FILE...    in other pages

Nothing is measured here. In a page, whatever stands between

    <!-- figures: NAME PART [TEXT] -->  and  <!-- end -->

is replaced by PART of `docs/experiments/NAME.json` or `benchmarks/results/NAME.json`: of every experiment its
`conclusions` and `provenance`, and further parts that depend on its kind (see PARTS). Of experiments on texts, TEXT
leaves the rows of that text alone.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from handbook_markdown import code, escape, make_table, number, seconds
from handbook_sweeps import show_comparisons, show_edge, show_known, show_speed

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "handbook"
RESULTS = (ROOT / "docs" / "experiments", ROOT / "benchmarks" / "results")
_MARKED = re.compile(r"(<!-- figures: ([\w-]+) ([\w-]+)(?: (\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)
_NUM_LONGEST = 5

Result = dict[str, Any]


def fill(page: str, results: Iterable[Path] = RESULTS) -> str:
    """Return a page with the figures between its markers.

    Args:
        page: Its Markdown.
        results: The folders of the JSON files.

    Raises:
        ValueError: a marker names no file or part.
    """

    def render(found: re.Match[str]) -> str:
        begin, name, part, corpus, end = found.groups()
        paths = [path for folder in results if (path := folder / f"{name}.json").exists()]
        if part not in PARTS or not paths:
            folders = " or ".join(map(str, results))
            raise ValueError(f"{begin.strip()}: expected {name}.json in {folders}, and one of {', '.join(PARTS)}")
        result = json.loads(paths[0].read_text(encoding="utf-8"))
        if corpus:
            result["figures"]["training"] = [row for row in result["figures"]["training"] if row["corpus"] == corpus]
        try:
            text = PARTS[part](result)
        except KeyError as error:
            raise ValueError(f"{begin.strip()}: {paths[0]} has no {error}, which this part shows") from error
        # Empty lines around it: Markdown takes what follows a comment without one for HTML.
        return f"{begin}\n{text}\n{end}"

    return _MARKED.sub(render, page)


def show_conclusions(result: Result) -> str:
    """The sentences computed from the figures."""
    return "".join(f"- {escape(sentence)}\n" for sentence in result["conclusions"])


def show_provenance(result: Result) -> str:
    """When, where and from what."""
    machine, versions = result["machine"], result["versions"]
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    sentences = [
        f"Measured on {result['date']} by `{result['command']}` on {machine['cores']} cores ({machine['cpu']}), {used}."
    ]
    if data := [
        f"{each['name']} {each['tokens']:,} tokens ({each['bytes']:,} bytes)" for each in result.get("data", [])
    ]:
        sentences.append(f"Text: {', '.join(data)}.")
    if "rule" in result:
        sentences.append(f"Rule, fixed before the first run: {result['rule']}.")
    return escape(" ".join(sentences)) + "\n"


def show_published(result: Result) -> str:
    """Published figures next to ours."""
    rows = [
        [escape(row["what"]), row["source"], number(row["published"]), number(row["ours"]), escape(row["note"])]
        for row in result["published"]
    ]
    return make_table(["figure", "source", "published", "here", "can they be compared?"], rows)


def show_training(result: Result) -> str:
    """Time by phase and memory of training tokenizers."""
    heads = ["text", "bytes", "vocabulary", "pre-tokens (distinct)", "counting", "merging", "command", "memory"]
    rows = [
        [
            row["corpus"],
            f"{row['train_bytes']:,}",
            f"{row['vocab_size']:,}",
            f"{row['pretokens']:,} ({row['distinct_pretokens']:,})",
            *(f"{seconds(row[phase]['cpu_seconds'])} ({seconds(row[phase]['seconds'])})" for phase in _PHASES),
            f"{seconds(row['command_cpu_seconds'])} ({seconds(row['command_seconds'])})",
            f"{row['peak_memory_bytes'] / 1e6:,.0f} MB",
        ]
        for row in result["figures"]["training"]
    ]
    return (
        make_table(heads, rows) + "\nProcessor seconds; in parentheses by the clock, with other work on the machine.\n"
    )


_PHASES = ("counting", "merging")


def show_benchmark(result: Result) -> str:
    """Our time and memory in a benchmark of training."""
    (row,) = [row for row in result["results"] if row["name"] == "homespun"]
    return (
        f"{result['vocab_size']:,} tokens from {result['num_bytes']:,} bytes, {row['extra']['num_merges']:,} merges: "
        f"{row['median_seconds']:.1f} s and {row['median_peak_memory_bytes'] / 1e6:,.0f} MB (median of "
        f"{result['repeats']}, {result['num_threads']} threads, {result['date']}).\n"
    )


def show_longest(result: Result) -> str:
    """The longest tokens of each tokenizer, and its longest word."""
    rows = []
    for row in result["figures"]["training"]:
        *tokens, word = row["longest_tokens"]
        chosen = tokens[:_NUM_LONGEST] + ([word] if word not in tokens[:_NUM_LONGEST] else [])
        rows += [
            [row["corpus"], code(each["token"]), str(each["bytes"]), each["kind"], f"{each['occurrences']:,}"]
            for each in chosen
        ]
    return make_table(["text", "token", "bytes", "kind", "pre-tokens that hold it"], rows)


def show_compression(result: Result) -> str:
    """Bytes per token of every tokenizer on every text."""
    rows = [
        [
            row["tokenizer"],
            row["text"],
            f"{row['ten_documents']:.2f}",
            "{:.2f} to {:.2f}".format(*row["ten_documents_interval"]),
            f"{row['all_held_out']:.2f}",
        ]
        for row in result["figures"]["compression"]
    ]
    return make_table(["tokenizer", "text", "ten documents", "95 % interval", "all held-out text"], rows)


def show_throughput(result: Result) -> str:
    """How fast each tokenizer encodes its own text."""
    heads = [
        "tokenizer",
        "threads",
        "MB in a processor second",
        "again",
        "MB/s by the clock",
        "the Pile, processor hours",
    ]
    rows = [
        [
            row["tokenizer"],
            str(row["threads"]),
            f"{row['first_megabytes_per_cpu_second']:.0f}",
            f"{row['megabytes_per_cpu_second']:.0f}",
            f"{row['first_megabytes_per_second']:.0f}",
            f"{row['pile_cpu_hours']:.1f}",
        ]
        for row in result["figures"]["throughput"]
    ]
    return make_table(heads, rows)


def show_corpora(result: Result) -> str:
    """Two corpora before any model is trained."""
    heads = [
        "text",
        "tokens",
        "as uint16",
        "largest id",
        "distinct words in 10 MB",
        "bits per byte, token alone",
        "after one",
    ]
    rows = [
        [
            row["name"],
            f"{row['encoded']['tokens']:,}",
            f"{row['encoded']['bytes'] / 1e6:.1f} MB ({row['encoded']['share_of_text']:.0%} of the text)",
            f"{row['encoded']['largest_id']:,}",
            f"{row['distinct_words_in_sample']:,}",
            f"{row['unigram']['bits_per_byte']:.2f}",
            f"{row['bigram']['bits_per_byte']:.2f}",
        ]
        for row in result["figures"]["corpora"]
    ]
    return make_table(heads, rows)


def show_rates(result: Result) -> str:
    """Losses of the SGD toy at every learning rate."""
    heads = ["learning rate", "first loss", "after ten steps", "measured ratio", "exact ratio", "verdict"]
    keys = ("lr", "initial_loss", "final_loss", "measured_ratio", "exact_ratio")
    rows = [[*(number(row[key]) for key in keys), row["verdict"]] for row in result["figures"]["rates"]]
    return make_table(heads, rows)


def show_cells(result: Result) -> str:
    """Generated stories by temperature and top-p, judged by the grammar; the grammar's own in the last row."""
    heads = ["temperature", "top-p", "stories allowed (95 % interval)", "choices a mistake", "distinct 3-grams"]
    heads.append("repeated 4-grams")
    rows = [
        [
            f"{cell['temperature']:g}",
            f"{cell['top_p']:g}",
            "{share:.1%} ({low:.1%} to {high:.1%})".format(**cell["allowed"]),
            f"{1 / cell['mistakes_per_choice']['share']:.0f}",
            f"{cell['distinct_3grams']:.1%}",
            f"{cell['repeated_4grams']:.2%}",
        ]
        for cell in _shown_cells(result)
    ]
    own = result["figures"]["grammars_own_stories"]
    rows.append(["the grammar's own", "", "100%", "", f"{own['distinct_3grams']:.1%}", f"{own['repeated_4grams']:.2%}"])
    return make_table(heads, rows)


def show_examples(result: Result) -> str:
    """Where a story that the grammar does not allow leaves it, at some settings."""
    rows = [
        [f"{cell['temperature']:g}", f"{cell['top_p']:g}", escape(" ".join(cell["example_of_the_others"].split()))]
        for cell in _shown_cells(result)
        if cell.get("example_of_the_others") and (cell["temperature"], cell["top_p"]) in _EXAMPLES
    ]
    return make_table(["temperature", "top-p", "text around the first mistake"], rows)


_EXAMPLES = ((0.5, 0.95), (0.7, 0.9), (1.0, 1.0), (1.2, 1.0))


def _shown_cells(result: Result) -> list[Result]:
    """Those of top-p 0.9 and 1, and the examples'; a single story, as at temperature 0, has no shares."""
    return [
        cell
        for cell in result["figures"]["cells"]
        if cell["stories"] > 1 and (cell["top_p"] in (0.9, 1.0) or (cell["temperature"], cell["top_p"]) in _EXAMPLES)
    ]


def show_estimates(result: Result) -> str:
    """How far estimates were from measured steps, and whether the largest batch fits."""
    rows = [
        [
            row["model"],
            f"{row['micro_batch']} ({row['batch_size']})",
            row["optimizer"],
            row["precision"],
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            f"{row['memory_ratio']:.2f}",
            f"{row['step_cpu_seconds']:.3g} s",
            f"{row['time_ratio']:.2f}",
        ]
        for row in result["steps"]
    ]
    heads = ["model", "micro-batch (batch)", "optimizer", "precision", "peak memory", "estimate / measured"]
    return make_table([*heads, "a step", "estimate / measured"], rows)


PARTS: dict[str, Callable[[Result], str]] = {
    "conclusions": show_conclusions,
    "provenance": show_provenance,
    "published": show_published,
    "known": show_known,
    "comparisons": show_comparisons,
    "edge": show_edge,
    "speed": show_speed,
    "training": show_training,
    "benchmark": show_benchmark,
    "longest": show_longest,
    "compression": show_compression,
    "throughput": show_throughput,
    "corpora": show_corpora,
    "rates": show_rates,
    "estimates": show_estimates,
    "cells": show_cells,
    "examples": show_examples,
}
"""What a marker may ask for: `published` of single experiments; `known`, `comparisons`, `edge` and `speed` of sweeps;
the others by the experiment that has them."""


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:]] or sorted(PAGES.glob("*.md"))
    for path in paths:
        page = path.read_text(encoding="utf-8")
        filled = fill(page)
        if filled != page:
            path.write_text(filled, encoding="utf-8")
            print(f"wrote the figures in {path}")


if __name__ == "__main__":
    main()
