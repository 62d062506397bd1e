"""The handbook: its pages do what they say, their figures are those that were measured, and none is missing.

Oracles: the pages' own asserts and the output they show; the JSON files that the experiments wrote; the file system.
"""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from pages import read_steps, run_page, scale_down

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "docs" / "handbook"
PAGES = sorted(HANDBOOK.glob("[0-9]*.md"))


@pytest.fixture
def figures(monkeypatch) -> ModuleType:
    """tools/handbook_figures.py, which fills the tables."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("handbook_figures")


@pytest.mark.timeout(300)  # a page may train at smoke scale, in processes of its own
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch):
    """Oracle: the page's asserts, and what it shows as printed."""
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_figures_are_those_that_were_measured(figures, page):
    """Oracle: docs/experiments and benchmarks/results; `python tools/handbook_figures.py` writes the pages again."""
    text = page.read_text(encoding="utf-8")
    assert figures.fill(text) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_question_and_answer_and_something_to_run(page):
    """Oracle: the parts that every page has."""
    text = page.read_text(encoding="utf-8")
    assert "**Question.**" in text
    assert "**Answer.**" in text
    assert read_steps(text)


def test_every_page_is_in_the_index_and_in_the_navigation():
    """Oracle: the files, by their number."""
    names = [page.name for page in PAGES]
    assert re.findall(r"^\| \[.+?\]\((.+?)\) \|", (HANDBOOK / "index.md").read_text(), flags=re.MULTILINE) == names
    (pages,) = [entry["Handbook"] for entry in read_navigation() if "Handbook" in entry]
    assert [Path(path).name for entry in pages for path in entry.values()] == ["index.md", *names]


def read_navigation() -> list[dict]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]


def read_result(name: str) -> dict:
    return json.loads((ROOT / "docs" / "experiments" / f"{name}.json").read_text(encoding="utf-8"))


def test_what_the_pages_say_of_tokenizers_is_so():
    """Oracle: the measured figures, for what the prose of pages 3 to 5 rounds."""
    figures = read_result("tokenizers")["figures"]
    tinystories, english = figures["training"]
    assert 0.4 < tinystories["counting_share_of_cpu_seconds"] < 0.6  # "take about as long"
    assert tinystories["peak_memory_bytes"] < 100e6  # "some tens of megabytes"
    lengths = [token["bytes"] for token in tinystories["longest_tokens"]]
    assert tinystories["longest_tokens"][0]["token"] == " accomplishment"
    assert lengths[:5] == [15, 15, 15, 15, 14]  # "three others of the same 15 bytes"
    assert {token["kind"] for token in english["longest_tokens"][:5]} == {"white space", "repeated character"}

    held_out = {(row["tokenizer"], row["text"]): row["all_held_out"] for row in figures["compression"]}
    small, large = "tinystories 10,000", "english 32,000"
    assert 3.75 < held_out[small, "tinystories"] < 4.25  # "about four"
    assert 3.75 < held_out[large, "english"] < 4.25
    assert 1.75 < held_out[large, "english"] / held_out[small, "english"] < 2.25  # "about twice"
    assert held_out[small, "tinystories"] / held_out[large, "tinystories"] < 1.1  # "costs little"
    assert max(row["pile_cpu_hours"] for row in figures["throughput"]) < 1.5  # "about an hour"


def test_what_the_page_of_sgd_says_is_so():
    """Oracle: the measured losses."""
    rates = read_result("sgd-toy")["figures"]["rates"]
    small, ten, hundred, thousand = [rate["final_loss"] for rate in rates]
    assert hundred < ten < small < rates[0]["initial_loss"] < thousand


def test_what_the_page_of_generation_says_is_so():
    """Oracle: the measured cells."""
    cells = {(cell["temperature"], cell["top_p"]): cell for cell in read_result("sampling")["figures"]["cells"]}
    cool, hot = cells[0.7, 0.9], cells[1.2, 1.0]
    assert cool["mistakes_per_choice"]["high"] < cells[1.0, 1.0]["mistakes_per_choice"]["low"]
    assert cells[1.0, 1.0]["mistakes_per_choice"]["high"] < hot["mistakes_per_choice"]["low"]
    assert cool["distinct_3grams"] < cells[1.0, 1.0]["distinct_3grams"] < hot["distinct_3grams"]
    assert max(cell["allowed"]["high"] for cell in cells.values() if cell["stories"] > 1) < 0.1  # "neither makes"


def compare(name: str) -> dict[str, dict]:
    """The comparisons of a sweep at equal tokens, by variant."""
    return {each["variant"]: each for each in read_result(name)["comparisons"] if each["budget"] == "tokens"}


def test_what_the_page_of_the_learning_rate_says_is_so():
    """Oracle: the measured differences from the best rate."""
    by_rate = {float(name.removeprefix("lr=")): each for name, each in compare("learning-rate").items()}
    assert all(each["difference"] > 0 for each in by_rate.values())  # "the best rate" is the baseline's
    assert by_rate[0.01]["difference"] < 0.02 < 0.1 < by_rate[0.02]["difference"]  # "a factor of two to four"
    spread = {rate: each["high"] - each["low"] for rate, each in by_rate.items()}
    assert min(spread[0.02], spread[0.05], spread[0.1]) > 10 * spread[0.01]  # "the seeds scatter"


def test_what_the_pages_of_norms_say_is_so():
    """Oracle: the measured differences from the base."""
    without, after, rates = compare("no-norm"), compare("post-norm"), compare("no-norm-rates")
    assert without["no norm"]["verdict"] == after["post-norm"]["verdict"] == "no visible difference"
    assert all(each["verdict"] == "worse" for name, each in {**without, **after}.items() if "1/" in name)
    for factor, num_diverged in {2: 1, 4: 2, 10: 2}.items():  # "of two runs one", "both"
        assert rates[f"no norm at {factor} times the rate"]["num_diverged"] == num_diverged
        assert rates[f"base at {factor} times the rate"]["num_diverged"] == 0


def test_what_the_page_of_silu_says_is_so():
    """Oracle: the measured differences and the noise."""
    result = read_result("silu")
    (silu,) = compare("silu").values()
    assert silu["low"] > 0  # "the gate helps"
    base = silu["mean"] - silu["difference"]
    assert 0.0025 < result["noise_floor"] / base < 0.0035  # "0.3 %"
    assert len({run["num_steps"] for run in result["runs"]}) == 1  # "within 3 %": no other runs for equal time


def test_what_the_page_of_positions_says_is_so():
    """Oracle: the measured differences from RoPE."""
    assert compare("no-positions")["no positions"]["low"] > 0.1


PLANTED = """\
# Planted

```python
x = 3
print(x)
```

    3

Text, and a block that is no output:

    nothing

    $ homespun --version
    homespun ...
    $ homespun experiment sgd-toy --scale cpu

```python
assert x == 3
```
"""


def test_steps_are_found_where_they_stand():
    """Planted: code with its output, a block of text, a command with and one without output."""
    steps = read_steps(PLANTED)
    assert [(step.line, step.is_command, step.printed) for step in steps] == [
        (4, False, "3"),
        (14, True, "homespun ..."),
        (16, True, ""),
        (19, False, ""),
    ]
    assert steps[1].text == "homespun --version"


def test_a_page_is_run_in_its_order(tmp_path, monkeypatch):
    """Oracle: the planted page's own assert, and what its experiment wrote, at smoke scale."""
    page = tmp_path / "page.md"
    page.write_text(PLANTED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run_page(page, tmp_path) == ["--version", "experiment sgd-toy --scale smoke"]
    written = json.loads((tmp_path / "docs" / "experiments" / "sgd-toy.json").read_text())
    assert written["scale"] == "smoke"


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("```python\nprint(1)\n```\n\n    2\n", "page.md:2 prints"),
        ("    $ homespun estimate gpt2-xl\n    nothing\n", "page.md:1 prints"),
        ("    $ homespun estimate gpt3\n", r"page.md:1: \$ homespun estimate gpt3"),
        ("    $ homespun experiment sgd-toy --scale cpu\n    At rate 1\n", "another scale"),
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path, monkeypatch, planted, fault):
    """Planted: other output of Python and of a command, a command that fails, output of a larger scale."""
    page = tmp_path / "page.md"
    page.write_text(planted, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=fault):
        run_page(page, tmp_path)


@pytest.mark.parametrize(
    ("command", "scaled"),
    [
        (
            "sweep recipes/experiments/silu.yaml --scale cpu --workers 2 --out runs/silu",
            "sweep recipes/experiments/silu.yaml --scale smoke --workers 2 --out runs/silu",
        ),
        (
            "experiment tokenizers --scale cpu --english TRAIN VALID --also code TEXT --out here",
            "experiment tokenizers --scale smoke --out here",
        ),
        ("estimate gpt2-xl --machine A100", "estimate gpt2-xl --machine A100"),
    ],
)
def test_commands_are_scaled_down(command, scaled):
    """Derived by hand: another scale, no flags with placeholders; a command without a scale is what it was."""
    assert scale_down(command.split()) == scaled.split()


RUN = {
    "budget": "tokens", "status": "finished", "tokens": 1024, "cpu_seconds": 2.0,
    "measures": {"bits_per_byte": 1.25},
}  # fmt: skip
SWEEP = {
    "measure": "bits_per_byte", "baseline": "base", "seeds": [0, 1], "noise_floor": 0.01,
    "caveat": "Small | and short.", "known": ["W: worse, by 0.05", "M: slower"],
    "runs": [
        RUN | {"variant": "base", "measures": {"bits_per_byte": 1.0}},
        RUN | {"variant": "base", "measures": {"bits_per_byte": 1.5}},
        RUN | {"variant": "other"},
        RUN | {"variant": "lost", "status": "diverged", "measures": {}},
    ],
    "comparisons": [
        {"variant": "other", "budget": "tokens", "num_diverged": 0, "difference": 0.25, "low": -0.5, "high": 1.0,
         "verdict": "no visible difference"},
        {"variant": "lost", "budget": "tokens", "num_diverged": 1, "difference": None, "low": None, "high": None,
         "verdict": "too few runs"},
    ],
}  # fmt: skip


def test_a_sweep_becomes_a_table(figures, tmp_path):
    """Derived by hand: the mean of 1.0 and 1.5, a difference with its interval, a run that diverged."""
    (tmp_path / "planted.json").write_text(json.dumps(SWEEP))
    page = "<!-- figures: planted comparisons -->\nold\n<!-- end -->\n<!-- figures: planted known -->\n<!-- end -->\n"
    filled = figures.fill(page, [tmp_path])
    assert "| base | 2 | 1.2500 | baseline |  | 1,024 | 2 |" in filled
    assert "| other | 1 | 1.2500 | +0.2500 (-0.5000 to +1.0000) | no visible difference | 1,024 | 2 |" in filled
    assert "| lost | 0, 1 diverged |  |  | diverged |  |  |" in filled
    assert "- A write-up (one H100): worse, by 0.05\n- Notes: slower\n\nSmall &#124; and short.\n" in filled
    assert "old" not in filled
    assert figures.fill(filled, [tmp_path]) == filled


def test_the_edge_of_stability_is_found(figures, tmp_path):
    """Derived by hand: 0.01 is best, 0.1 is worse, one of the runs at 0.3 diverged."""
    sweep = {
        "measure": "bits_per_byte",
        "variants": [{"name": f"lr={rate:g}", "overrides": {"optim.lr": rate}} for rate in (0.01, 0.3, 0.1)],
        "runs": [
            RUN | {"variant": "lr=0.01", "num_steps": 4, "measures": {"bits_per_byte": 1.0}},
            RUN | {"variant": "lr=0.1", "num_steps": 4, "measures": {"bits_per_byte": 1.5}},
            RUN | {"variant": "lr=0.3", "num_steps": 4, "status": "diverged", "measures": {}},
        ],
    }
    (tmp_path / "rates.json").write_text(json.dumps(sweep))
    filled = figures.fill(
        "<!-- figures: rates edge -->\n<!-- end -->\n<!-- figures: rates speed -->\n<!-- end -->\n", [tmp_path]
    )
    assert "- lowest at a rate of 0.01: 1.0000 bits per byte\n- at 0.1, 10 times the best: 1.5000\n" in filled
    assert "- runs diverge from 0.3 on, 30 times the best\n" in filled
    assert "| lr=0.1 | 4 | 512 | 1.5000 |" in filled
    sweep["runs"].pop()
    (tmp_path / "rates.json").write_text(json.dumps(sweep))
    filled = figures.fill("<!-- figures: rates edge -->\n<!-- end -->\n", [tmp_path])
    assert "- no run diverged, up to 0.3, 30 times the best\n" in filled


@pytest.mark.parametrize("marker", ["absent comparisons", "planted nothing", "planted rates"])
def test_a_marker_of_nothing_is_refused(figures, tmp_path, marker):
    """Planted: no such file, no such part, a part that the file lacks; each with the marker named."""
    (tmp_path / "planted.json").write_text(json.dumps(SWEEP))
    with pytest.raises(ValueError, match=f"figures: {marker}"):
        figures.fill(f"<!-- figures: {marker} -->\n<!-- end -->\n", [tmp_path])
