"""The page on scale says what its script computes from the figures beside it."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def scale(monkeypatch) -> ModuleType:
    """benchmarks/scale.py, which imports its neighbours by their bare names."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("scale")


def test_the_page_holds_the_tables_of_the_figures(scale, tmp_path):
    """Oracle: the script, and benchmarks/results/scale.json."""
    result = json.loads((ROOT / "benchmarks" / "results" / "scale.json").read_text(encoding="utf-8"))
    page = ROOT / "docs" / "design" / "scale.md"
    copy = tmp_path / "scale.md"
    copy.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    scale.write_page(copy, result)
    assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_the_assumptions_told_are_those_computed_with(scale):
    page = (ROOT / "docs" / "design" / "scale.md").read_text(encoding="utf-8")
    text = " ".join(page.split())
    assert f"{scale.PRICE_PER_CORE_HOUR} USD a core-hour" in text
    assert f"{scale.NUM_MACHINES} machines of {scale.CORES_PER_MACHINE} cores" in text
    assert f"{scale.NETWORK_BYTES_PER_SECOND * 8 / 1e9:.0f} Gbit/s" in text
    assert f"What {scale.NUM_TOKENS / 1e12:.0f} trillion tokens cost" in text


def test_the_arithmetic(scale):
    """By hand: a text of 4 GB and 10**9 tokens, a 15,000th of the corpus; 122 is the root of it."""
    measured = scale.Measured(
        name="text",
        text_bytes=4 * 10**9,
        count_seconds=36.0,
        merge_seconds=10.0,
        encode_seconds=72.0,
        parquet_seconds=144.0,
        num_pretokens=1_000_000,
        growth=0.5,
        counts_bytes=10**7,
        merge_bytes=10**9,
        num_tokens=10**9,
        id_bytes=2,
    )
    estimate = scale.estimate(measured)
    assert estimate["text, uncompressed"] == "60 TB"
    assert estimate["counting"] == "150 core-hours"
    assert estimate["encoding, from plain text"] == "300 core-hours"
    assert estimate["encoding, from parquet"] == "600 core-hours"
    assert estimate["distinct pre-tokens (extrapolated)"] == "122 million"
    assert estimate["merging, in memory"] == "122 GB"
    assert estimate["token ids"] == "30 TB in 223,518 shards"
    assert estimate["over the network"] == "150 TB"
    assert estimate["their price"] == "30 USD"
    assert estimate["their time, by network"] == "0.33 hours"
