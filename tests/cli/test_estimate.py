import json
import re

import pytest

from homespun.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpt2-xxl"], "model = 'gpt2-xxl' is neither a preset .* nor a recipe's file"),
        (["gpt2-xl", "--model.d_ff", "3"], "unrecognized arguments: --model.d_ff 3"),
        (["gpt2-xl", "--machine", "abacus"], "'abacus' is not in the table"),
        (["gpt2-xl", "--machine", "abacus", "--peak-tflops", "1"], "give its memory with --memory"),
        (["gpt2-xl", "--precision", "float8"], "precision = 'float8' is unknown"),
        (["gpt2-xl", "--batch-size", "0"], "batch_size = 0 is too small"),
        (["gpt2-xl", "--steps", "many"], "'many' is not a whole number"),
        (["gpt2-xl", "--mfu", "1.5"], "mfu = 1.5"),
        (["gpt2-xl", "--mfu", "0"], "mfu = 0.0"),
        (["gpt2-xl", "--context-length", "0"], "model.context_length = 0"),
        (["absent.yaml"], "absent.yaml: no such file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, message, capsys):
    assert main(["estimate", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)


def test_a_machine_of_ones_own(capsys):
    arguments = ["--machine", "my CPU", "--peak-tflops", "0.2", "--memory", "16GB", "--steps", "10", "--json"]
    assert main(["estimate", "gpt2-small", *arguments]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["time"]["peak_flops"] == 0.2e12
    assert figures["memory"]["available_bytes"] == 16 * 10**9
    assert figures["time"]["days"] == pytest.approx(10 * 3 * 349_630_365_696 / 0.1e12 / 86_400)


@pytest.mark.parametrize(
    ("kind", "flags", "state_size", "update_flops"),
    [
        ("adamw", [], 2 * 5_240, 14 * 5_240),
        # Momentum for the matrices of the block, two moments for the embedding table, the head and the gains.
        ("muon", [], 736 + 2 * 4_504, 12 * 736 + 5 * (4 * 3_072 + 3 * 6_144) + 14 * 4_504),
        ("muon", ["--d-ff", "30"], 976 + 2 * 4_504, 12 * 976 + 5 * (4 * 3_072 + 3 * 8_704) + 14 * 4_504),
        ("sgd", [], 0, 2 * 5_240),
    ],
)
def test_state_and_update_of_a_recipes_optimizers_are_counted(kind, flags, state_size, update_flops, tmp_path, capsys):
    """Oracle: by hand. With V = 280, D = 8, F = 20: matrices 4 D**2 + 3 D F = 736, the rest 2 V D + 3 D = 4,504.

    Muon's products of an iteration: 2 (D D D + D D D + D D D) = 3,072 for each of the four (D, D) matrices, and
    2 (D D F + D D D + D D F) = 6,144 for each of the three with a side F; 8,704 with F = 30.
    """
    sections = {
        "name": "tiny",
        "source": {"corpus": "files", "train": "train.txt", "valid": "valid.txt"},
        "tokenizer": {"vocab_size": 280},
        "data": {name: name for name in ("tokenizer", "train", "valid")},
        "model": {
            "vocab_size": 280, "context_length": 8, "d_model": 8, "num_layers": 1, "num_heads": 2, "d_ff": 20,
        },
        "optim": {"kind": kind},
        "training": {"num_steps": 200, "batch_size": 1},
        "execution": {"micro_batch": 1},
    }  # fmt: skip
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(sections))
    assert main(["estimate", str(recipe), *flags, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["memory"]["fixed"]["optimizer state"] == 4 * state_size
    assert figures["step"]["update_flops"] == update_flops
