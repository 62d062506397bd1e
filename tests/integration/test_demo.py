"""The demo goes the whole way, shrunk by overrides. Oracles: the files it promises and the records they hold."""

import re
from pathlib import Path

from homespun.cli.demo import RECIPE
from homespun.cli.main import main
from homespun.records import RunDirectory

SHRUNK = {
    "source.num_train_stories": 30,
    "source.num_valid_stories": 4,
    "tokenizer.vocab_size": 300,
    "model.vocab_size": 300,
    "model.d_model": 16,
    "model.num_layers": 1,
    "model.num_heads": 2,
    "model.d_ff": 32,
    "optim.schedule.warmup_steps": 1,
    "training.num_steps": 4,
    "training.batch_size": 2,
    "execution.micro_batch": 2,
    "logging.validation_tokens": 300,
    "logging.sampling.max_new_tokens": 5,
}


def test_demo_ends_with_stories_figures_and_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["demo", *(f"--{key}={value}" for key, value in SHRUNK.items())]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    run = RunDirectory(tmp_path / "runs" / "demo")
    result, entropy = run.read_result(), run.read_entropy()
    assert result is not None
    assert entropy is not None
    assert entropy.num_documents == 4
    assert said.count("--- story") == 3
    reached, exact = map(float, re.findall(r"(\d\.\d{4})[ ,]", said[said.index("validation:") :])[:2])
    assert reached == round(result.validation.bits_per_byte, 4)
    assert exact == round(entropy.bits_per_byte, 4)
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")

    # Finished: shown again, not trained again.
    assert main(arguments) == 0
    again = capsys.readouterr().out
    assert "finished already" in again
    assert again[again.index("--- story") : again.index("report:")] in said


def test_a_misspelt_key_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--training.num_stps", "3"]) == 2
    assert "num_stps" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_packaged_recipe_is_that_of_the_recipes_folder():
    """Oracle: byte equality. A link would do on Linux, but not in a checkout on Windows nor in a wheel."""
    assert RECIPE.read_bytes() == (Path(__file__).parents[2] / "recipes" / "demo.yaml").read_bytes()
