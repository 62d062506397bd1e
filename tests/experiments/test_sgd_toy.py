"""The SGD toy against its closed form, and its file against what was computed."""

import json

import pytest

from homespun.cli.main import main
from homespun.experiments.sgd_toy import LEARNING_RATES, loss_ratio, train_toy


@pytest.mark.parametrize("lr", [1.0, 10.0, 1000.0])
def test_losses_are_those_of_the_closed_form(lr):
    """Oracle: step t multiplies every weight by 1 - 2 lr / (100 sqrt(t + 1)). 1e-5: ten float32 roundings a weight."""
    losses = train_toy(lr, seed=3)
    assert len(losses) == 11
    for step, loss in enumerate(losses):
        assert loss == pytest.approx(losses[0] * loss_ratio(lr, step), rel=1e-5)


def test_at_rate_100_the_fourth_step_ends_at_zero():
    """Derived by hand: 1 - 2 * 100 / (100 * sqrt(4)) = 0, exactly in binary."""
    assert loss_ratio(100.0, 4) == 0
    assert train_toy(100.0, seed=0)[4] < 1e-12


def test_the_command_writes_figures_and_plot(tmp_path):
    """Oracle: the closed form, read back from the file."""
    assert main(["experiment", "sgd-toy", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "sgd-toy.json").read_text())
    assert [rate["lr"] for rate in written["figures"]["rates"]] == [*LEARNING_RATES]
    for rate in written["figures"]["rates"]:
        assert rate["measured_ratio"] == pytest.approx(loss_ratio(rate["lr"]), rel=1e-5, abs=1e-12)
    assert written["command"] == "homespun experiment sgd-toy --scale smoke"
    assert written["plots"] == ["sgd-toy.svg"]


def test_a_plot_is_the_same_bytes_again(tmp_path):
    """Oracle: the same command twice."""
    for name in ("one", "two"):
        assert main(["experiment", "sgd-toy", "--scale", "smoke", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "one" / "sgd-toy.svg").read_bytes() == (tmp_path / "two" / "sgd-toy.svg").read_bytes()
