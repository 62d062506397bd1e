"""The experiment on the scaling law: its counts against accounting, its runs against a sweep directory, its figures."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from homespun.accounting.totals import count_parameters
from homespun.cli.main import main
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, DataError
from homespun.experiments.scaling import ScalingLaw, ScalingRun
from homespun.experiments.scaling_law import (
    count_table_parameters,
    equal_budgets,
    read_listed_runs,
    read_sweep_runs,
    simulate_runs,
)
from homespun.files import write_text_atomically
from homespun.model.config import ModelConfig
from homespun.records import RunDirectory, write_json_record
from homespun.sweeps import Sweep, SweepDirectory, SweepRun, SweepVariant
from refusals import refuses
from tiny import make_world, run_tiny

BASE = ModelConfig(
    vocab_size=10_000, context_length=256, d_model=512, num_layers=4, num_heads=16, d_ff=1344, rope_theta=10_000.0
)


def test_the_base_models_tables():
    """Oracle: SPEC's base model, 22,696,448 parameters, 17,576,448 without the input table; tied, none is only read."""
    assert count_parameters(BASE) == 22_696_448
    assert count_parameters(BASE) - count_table_parameters(BASE) == 17_576_448
    assert count_table_parameters(replace(BASE, tie_embeddings=True)) == 0


@pytest.fixture
def sweep(tmp_path):
    """A sweep directory of two runs that were trained, and one that diverged."""
    world = make_world(tmp_path / "world")
    runs = []
    for variant, d_model in (("narrow", 16), ("wide", 32)):
        run_tiny(world, tmp_path / "runs" / variant, [f"--model.d_model={d_model}"])
        files = RunDirectory(tmp_path / "runs" / variant)
        write_json_record(files.entropy, CorpusEntropy(bits=100.0, num_bytes=400, num_documents=1))
        result = files.read_result()
        runs.append(
            SweepRun(
                variant=variant, budget="steps", seed=0, directory=f"runs/{variant}", status="finished", num_steps=12,
                num_parameters=result.num_parameters, tokens=result.tokens,
                measures={"bits_per_byte": result.validation.bits_per_byte},
            )
        )  # fmt: skip
    runs.append(
        SweepRun(variant="wide", budget="steps", seed=1, directory="runs/gone", status="diverged", num_steps=12)
    )
    record = Sweep(
        version=1, name="sizes", question="?", measure="bits_per_byte", lower_is_better=True, rule="", seeds=[0],
        baseline="narrow", noise_floor=None,
        variants=[SweepVariant(name="narrow", base="", overrides={})], runs=runs,
        comparisons=[], conclusions=[],
    )  # fmt: skip
    write_text_atomically(SweepDirectory(tmp_path).sweep, json.dumps(asdict(record)))
    return tmp_path


def test_runs_are_read_from_a_sweep(sweep):
    """Oracle: the runs' results. The tiny recipe's table has 280 rows."""
    runs, exact = read_sweep_runs(sweep)
    assert exact == 0.25
    assert [(run.variant, run.tokens) for run in runs] == [("narrow", 12 * 4 * 16), ("wide", 12 * 4 * 16)]
    assert [run.num_parameters_with_tables - run.num_parameters for run in runs] == [280 * 16, 280 * 32]
    assert runs[0].loss == RunDirectory(sweep / "runs" / "narrow").read_result().validation.bits_per_byte


def test_equal_budgets_read_losses_off_the_runs():
    """Oracle: a law of tokens alone is a line in log L over log D, which interpolation gives back exactly."""
    law = ScalingLaw(e=0.0, a=0.0, b=40.0, alpha=0.3, beta=0.4)
    runs = [
        ScalingRun(num_parameters=size, tokens=tokens, loss=float(law.loss(size, tokens)))
        for size in (1e5, 3e5, 9e5)
        for tokens in (1e6, 4e6, 1.6e7)
    ]
    found = equal_budgets(runs, num_budgets=5)
    assert len({round(np.log(6 * run.num_parameters * run.tokens), 6) for run in found}) == 5
    for run in found:
        assert 1e6 <= run.tokens <= 1.6e7
        assert run.loss == pytest.approx(float(law.loss(run.num_parameters, run.tokens)))


def test_the_command_finds_a_planted_law(tmp_path):
    """Oracle: the planted law. Its E is 0.26; 0.02 is three standard deviations of its estimate at this noise."""
    assert main(["experiment", "scaling-law", "--scale", "smoke", "--out", str(tmp_path)]) == 0
    path = tmp_path / "scaling-law-fit.json"
    written = json.loads(path.read_text())
    assert written["command"] == "homespun experiment scaling-law --scale smoke"
    assert written["figures"]["third_approach"]["without_tables"]["law"]["e"] == pytest.approx(0.26, abs=0.02)
    for row in written["figures"]["second_approach_without_noise"]:
        assert row["third_exponent"] == pytest.approx(row["true_exponent"], abs=1e-4)
        assert row["third_size_at_100_times_the_flops"] == pytest.approx(1, abs=1e-3)
    assert (tmp_path / "scaling-law-fit.svg").exists()
    assert read_listed_runs(path) == (simulate_runs(), 0.26)


def test_missing_runs_are_refused(tmp_path):
    from homespun.cli.experiment.scaling_law import main as command

    with refuses(ConfigError, "--sweep"):
        command(["--out", str(tmp_path)])
    (tmp_path / "other.json").write_text("{}")
    with refuses(DataError, tmp_path / "other.json"):
        read_listed_runs(tmp_path / "other.json")
