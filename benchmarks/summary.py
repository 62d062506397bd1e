"""The README's table and plot of the tokenizer, made from `results/*.json`.

    python benchmarks/summary.py            rewrite the table in README.md and docs/figures/tokenizer.svg
    python benchmarks/summary.py --print    only print the table

Nothing is measured here: a figure in the README is one that `bpe_train.py` or `bpe_encode.py` wrote.
"""

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
PLOT = ROOT / "docs" / "figures" / "tokenizer.svg"
BEGIN, END = "<!-- benchmarks/summary.py: begin -->\n", "<!-- benchmarks/summary.py: end -->\n"

Row = dict[str, Any]

JOBS = (
    ("train English (133 MB) to 32,000 tokens", "bpe_train-english-train-32000", "results"),
    ("train TinyStories (2.2 GB) to 10,000", "bpe_train-tinystories-scale-10000", "results"),
    ("encode English (133 MB)", "bpe_encode-english-train", "cold"),
    ("encode many languages (21 MB)", "bpe_encode-multilingual-train", "cold"),
    ("encode code (14 MB)", "bpe_encode-code-train", "cold"),
    ("encode stories (10 MB)", "bpe_encode-tinystories-train", "cold"),
    ("encode English (4 MB), cl100k_base", "bpe_encode-english-valid-cl100k", "cold"),
)
"""What a row says, the result it comes from, and the part of it."""
CONTENDERS = ("homespun", "gigatoken", "rustbpe", "bpeasy", "rs-bpe", "tiktoken", "tokenizers")


def read_rows(name: str, part: str) -> dict[str, Row]:
    """The contenders' rows of one result, by name."""
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return {row["name"]: row for row in result[part] if "out_of_time" not in row}


def make_table() -> str:
    """Every job's megabytes a second, the peers' with how many times faster homespun is."""
    lines = [
        "| MB/s (times homespun is faster) | " + " | ".join(CONTENDERS) + " |",
        "|---" * (len(CONTENDERS) + 1) + "|",
    ]
    for title, name, part in JOBS:
        rows = read_rows(name, part)
        lines.append(f"| {title} | " + " | ".join(make_cell(rows.get(contender)) for contender in CONTENDERS) + " |")
    return "\n".join(lines) + "\n"


def make_cell(row: Row | None) -> str:
    """One contender at one job; empty where it cannot do it."""
    if row is None:
        return ""
    speed, times = row["megabytes_per_second"], row["times_slower_than_ours"]
    if row["name"] == "homespun":
        return f"**{speed:,.0f}**"
    return f"{speed:,.{0 if speed >= 10 else 1}f} ({times:,.{0 if times >= 10 else 1}f})"


def put_table(readme: str, table: str) -> str:
    """The README with the table between its marks."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table + END + rest.split(END)[1]


def draw_plot(path: Path) -> None:
    """One panel a job, one bar a contender, on a logarithmic axis: the peers are orders of magnitude apart."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "homespun"  # the same figures, the same bytes
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 5), layout="constrained")
    for panel, (title, name, part) in zip(panels.flat, JOBS[:4], strict=True):
        rows = [row for row in read_rows(name, part).values() if row["name"] in CONTENDERS]
        rows.sort(key=lambda row: row["megabytes_per_second"])
        colors = ["#b5472f" if row["name"] == "homespun" else "#b9b4a8" for row in rows]
        bars = panel.barh([row["name"] for row in rows], [row["megabytes_per_second"] for row in rows], color=colors)
        panel.bar_label(bars, fmt="%.3g", padding=3)
        panel.set(title=title, xscale="log", xlabel="MB/s", xlim=(1, 4000))  # one scale for all panels
        panel.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the table and write nothing")
    table = make_table()
    if parser.parse_args().print:
        print(table, end="")
        return
    readme = ROOT / "README.md"
    readme.write_text(put_table(readme.read_text(encoding="utf-8"), table), encoding="utf-8")
    draw_plot(PLOT)
    print(f"wrote the table in {readme} and {PLOT}")


if __name__ == "__main__":
    main()
