import io
import re

import pytest
import torch
import yaml

from homespun.checkpoint import save_checkpoint
from homespun.cli.main import main
from homespun.generation import decode
from homespun.model.config import ModelConfig
from homespun.model.transformer import TransformerLM
from homespun.records import RunDirectory
from homespun.runs.load import load_run
from homespun.seeding import derive_seed
from homespun.tokenizer.tokenizer import Tokenizer

MODEL = {"vocab_size": 257, "context_length": 16, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 24}
RECIPE = {
    "name": "tiny",
    "source": {"corpus": "storybook", "train": "train.txt", "valid": "valid.txt"},
    "tokenizer": {"vocab_size": 257},
    "data": {"train": "train", "valid": "valid", "tokenizer": "tokenizer"},
    "model": MODEL,
    "optim": {"lr": 1e-3},
    "training": {"num_steps": 1, "batch_size": 1},
    "execution": {"micro_batch": 1},
}


def make_run(root, recipe, separator):
    """A run directory as `train` writes it, with the initial weights."""
    directory = RunDirectory(root)
    directory.checkpoints.mkdir(parents=True)
    directory.recipe.write_text(yaml.safe_dump(recipe))
    tokenizer = Tokenizer({value: bytes([value]) for value in range(256)}, [], [separator])
    tokenizer.save(directory.tokenizer)
    torch.manual_seed(0)
    model = TransformerLM(ModelConfig(**MODEL))
    save_checkpoint(model, torch.optim.SGD(model.parameters(), lr=0.1), 1, directory.checkpoint_at(1))
    return directory, model, tokenizer


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "tiny", RECIPE, "<|endoftext|>")


def test_it_prints_prompt_and_continuation(run, capsys):
    """Oracle: `decode` with the same model and settings."""
    directory, model, tokenizer = run
    arguments = ["--prompt", "Once", "--max-new-tokens", "20", "--top-k", "50", "--seed", "3", "--device", "cpu"]
    assert main(["generate", str(directory.root), *arguments, "--num-samples", "2"]) == 0
    texts = [
        "Once" + decode(model, tokenizer, "Once", 20, 0.8, 0.95, top_k=50, seed=derive_seed(3, f"sample {index}"))
        for index in range(2)
    ]
    assert capsys.readouterr().out == f"{texts[0]}\n{'-' * 72}\n{texts[1]}\n"


@pytest.mark.parametrize("arguments", [["Once"], ["--prompt", "-"], ["-"], ["--prompt=Once", "--min_p", "0"]])
def test_a_prompt_is_an_argument_a_flag_or_standard_input(run, arguments, capsys, monkeypatch):
    """Oracle: `decode`. The last line end of standard input is not in the prompt."""
    directory, model, tokenizer = run
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Once\n")))
    assert main(["generate", str(directory.root), *arguments, "--max_new_tokens", "9", "--device", "cpu"]) == 0
    expected = decode(model, tokenizer, "Once", 9, 0.8, 0.95, seed=derive_seed(0, "sample 0"))
    assert capsys.readouterr().out == f"Once{expected}\n"


@pytest.mark.parametrize("arguments", [[], ["--prompt", ""], ["--document-start"]])
def test_without_a_prompt_it_begins_a_document(run, arguments, capsys):
    """Oracle: `decode` after the separator."""
    directory, model, tokenizer = run
    assert main(["generate", str(directory.root), *arguments, "--max-new-tokens", "5", "--device", "cpu"]) == 0
    expected = decode(model, tokenizer, "", 5, 0.8, 0.95, seed=derive_seed(0, "sample 0"), document_start=True)
    assert capsys.readouterr().out == f"{expected}\n"


def test_the_runs_own_separator_begins_and_ends_documents(tmp_path, capsys):
    """Documents separated by <|eot|>: a model that writes it first gives an empty text."""
    recipe = {
        **RECIPE,
        "source": {**RECIPE["source"], "separator": "<|eot|>"},
        "tokenizer": {**RECIPE["tokenizer"], "special_tokens": ["<|eot|>"]},
    }
    directory, model, _ = make_run(tmp_path / "eot", recipe, "<|eot|>")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    save_checkpoint(model, torch.optim.SGD(model.parameters(), lr=0.1), 2, directory.checkpoint_at(2))
    # All logits are equal: greedy takes id 0, unless only the separator, id 256, has a positive one.
    assert main(["generate", str(directory.root), "--temperature", "0", "--max-new-tokens", "3"]) == 0
    assert capsys.readouterr().out == "\0\0\0\n"
    with torch.no_grad():
        hidden = model.hidden(torch.tensor([[256]]))[0, 0]
        model.lm_head.weight[256] = hidden
    save_checkpoint(model, torch.optim.SGD(model.parameters(), lr=0.1), 3, directory.checkpoint_at(3))
    assert main(["generate", str(directory.root), "--temperature", "0", "--max-new-tokens", "3"]) == 0
    assert capsys.readouterr().out == "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--prompt", "b"], "two prompts were given, 'a' and --prompt 'b'"),
        (["--prompt", "a", "--temperature", "-1"], "temperature = -1.0"),
        (["--prompt", "a", "--top-p", "0"], "top_p = 0.0"),
        (["--prompt", "a", "--top-k", "0"], "top_k = 0"),
        (["--prompt", "a", "--stop", ""], "stop = ''"),
        (["--prompt", "a", "--num-samples", "0"], "0 is too few"),
        (["--prompt", "a", "--max-new-tokens", "-1"], "max_new_tokens = -1"),
        (["--prompt", "a", "--checkpoint", "absent"], "absent: no such file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run, arguments, message, capsys):
    assert main(["generate", str(run[0].root), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert re.search(message, printed.err)
    assert not printed.out


def test_a_directory_without_a_run(tmp_path, capsys):
    assert main(["generate", str(tmp_path), "--prompt", "a"]) == 2
    assert "not a run directory" in capsys.readouterr().err


def test_a_truncated_checkpoint(run, capsys):
    path = run[0].checkpoint_at(1)
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["generate", str(run[0].root), "--prompt", "a"]) == 2
    assert re.search(r"step-000001.safetensors: truncated: 100 bytes are missing", capsys.readouterr().err)


def test_a_loaded_run_is_shown_in_one_line(run):
    """Oracle: the sizes of the fixture; the path may be a string."""
    directory, model, _ = run
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    assert repr(load_run(str(directory.root), device="cpu")) == (
        f"TrainedRun({str(directory.root)!r}, step=1, {num_parameters:,} parameters, 257 tokens, device='cpu')"
    )
