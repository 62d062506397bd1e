"""The committed results of measurements: complete, and their sentences are those that their figures give."""

import json
from pathlib import Path

import pytest

from homespun.cli.main import COMMANDS
from homespun.experiments import corpora, sampling, sgd_toy, tokenizers

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "experiments"
KEYS = {
    "version", "name", "question", "scale", "command", "date", "seconds", "cpu_seconds", "machine", "versions",
    "settings", "figures", "published", "conclusions", "plots",
}  # fmt: skip


def conclude(written):
    """The sentences of an experiment, from the figures of its file."""
    figures = written["figures"]
    match written["name"]:
        case "sgd-toy":
            return sgd_toy._conclude({rate["lr"]: rate["final_loss"] for rate in figures["rates"]})
        case "tokenizers":
            return tokenizers._conclude(figures, written["settings"]["vocab_sizes"])
        case "corpora":
            return corpora._conclude(figures["corpora"], figures["vocabulary_overlap"])
        case "sampling":
            return sampling._conclude(figures["cells"], figures["grammars_own_stories"], figures["gap"])


@pytest.mark.golden
@pytest.mark.parametrize("name", ["sgd-toy", "tokenizers", "corpora", "sampling"])
def test_a_committed_result_is_complete_and_says_what_it_measured(name):
    """Oracle: the code that computes sentences from figures. Made by the command that the file itself names."""
    written = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert set(written) == KEYS
    assert (written["name"], written["scale"]) == (name, "cpu")
    assert f"experiment {name}" in COMMANDS
    assert written["command"].startswith(f"homespun experiment {name} --scale cpu")
    assert "/" not in written["command"], "no path of a machine"
    assert written["conclusions"] == conclude(written)
    assert written["plots"]
    assert all((FOLDER / plot).read_text(encoding="utf-8").startswith("<?xml") for plot in written["plots"])
    for figure in written["published"]:
        assert figure["note"], figure["what"]


@pytest.mark.golden
def test_the_toys_figures_are_those_of_this_code():
    """Oracle: the toy, run again. 1e-6: float32, in one order of additions or another; rate 100 is rounding error."""
    written = json.loads((FOLDER / "sgd-toy.json").read_text(encoding="utf-8"))
    for rate in written["figures"]["rates"]:
        if rate["lr"] != 100.0:
            for seed, final in enumerate(rate["final_losses"]):
                assert sgd_toy.train_toy(rate["lr"], seed)[-1] == pytest.approx(final, rel=1e-6)
