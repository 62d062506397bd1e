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


@pytest.fixture
def run(tmp_path):
    """A run directory as training leaves it, after no training."""
    directory = RunDirectory(tmp_path / "tiny")
    directory.checkpoints.mkdir(parents=True)
    directory.recipe.write_text(yaml.safe_dump(RECIPE))
    tokenizer = Tokenizer({value: bytes([value]) for value in range(256)}, [], ["<|endoftext|>"])
    tokenizer.save(directory.tokenizer)
    torch.manual_seed(0)
    model = TransformerLM(ModelConfig(**MODEL))
    save_checkpoint(model, torch.optim.SGD(model.parameters(), lr=0.1), 1, directory.checkpoint_at(1))
    return directory, model, tokenizer


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


def test_a_document_of_its_own(run, capsys):
    directory, _, _ = run
    assert main(["generate", str(directory.root), "--document-start", "--max-new-tokens", "5"]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", ""], "the prompt encodes to nothing; .* --document-start"),
        ([], "the prompt encodes to nothing"),
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
