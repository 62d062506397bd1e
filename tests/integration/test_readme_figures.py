"""The README's figures of speed."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def summary(monkeypatch) -> ModuleType:
    """benchmarks/summary.py, which writes table and plot."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("summary")


def test_the_readme_shows_what_was_measured(summary):
    """Oracle: `benchmarks/results/*.json`, as the benchmarks wrote them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert summary.put_table(readme, summary.make_table()) == readme


def test_the_plot_can_be_drawn(summary, tmp_path):
    """Oracle: the names of all contenders of one panel stand in it; twice the same bytes."""
    for name in ("a.svg", "b.svg"):
        summary.draw_plot(tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in drawn for name in ("homespun", "gigatoken", "rustbpe", "bpeasy", "tokenizers"))
