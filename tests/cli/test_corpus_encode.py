"""`homespun corpus encode`."""

import json
from pathlib import Path

import pytest

from homespun.cli.main import main
from homespun.data import TokenDataset, encode_corpus
from homespun.tokenizer import Tokenizer

END = "<|endoftext|>"


@pytest.fixture
def tokenizer(tmp_path) -> Tokenizer:
    tokens = [END.encode(), *(bytes([byte]) for byte in range(256)), b"th", b"the"]
    tokenizer = Tokenizer(dict(enumerate(tokens)), [(b"t", b"h"), (b"th", b"e")], [END])
    tokenizer.save(tmp_path / "tok")
    return tokenizer


@pytest.fixture(autouse=True)
def inputs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        Path(f"{number}.jsonl").write_text(json.dumps({"body": f"the text {number}"}) + "\n")


def test_inputs_become_the_data_set_of_the_same_call(tokenizer, capsys):
    """Oracle: `encode_corpus`."""
    command = ["corpus", "encode", "*.jsonl", "--tokenizer", "tok", "--out", "tokens", "--text-key", "body"]
    assert main([*command, "--shard", "30", "--threads", "2"]) == 0
    encode_corpus(tokenizer, "*.jsonl", "expected", text_key="body", shard_bytes=30)
    made, expected = (
        {path.name: path.read_bytes() for path in Path(name).iterdir()} for name in ("tokens", "expected")
    )
    assert made == expected
    printed = capsys.readouterr().out
    assert f"tokens      {len(TokenDataset.open(Path('tokens')))} in 3 shard(s)" in printed
    assert "documents   3 separators" in printed


@pytest.mark.usefixtures("tokenizer")
def test_another_data_set_is_replaced_only_with_force(capsys):
    command = ["corpus", "encode", "--tokenizer", "tok", "--out", "tokens", "--text-key", "body"]
    assert main([*command, "0.jsonl"]) == 0
    before = {path.name: path.read_bytes() for path in Path("tokens").iterdir()}
    assert main([*command, "1.jsonl"]) == 2
    error = capsys.readouterr().err
    assert "tokens: " in error
    assert "--force" in error
    assert {path.name: path.read_bytes() for path in Path("tokens").iterdir()} == before
    assert main([*command, "1.jsonl", "--force"]) == 0
    assert main([*command, "1.jsonl"]) == 0


@pytest.mark.usefixtures("tokenizer")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.txt"], "absent.txt: no such file"),
        (["*.jsonl"], "no text under the key 'text'"),
        (["*.jsonl", "--separator", "<|end|>"], "is not a special token"),
        (["*.jsonl", "--shard", "0"], "shard_bytes"),
        (["*.jsonl", "--threads", "1", "--ray", "auto"], "not allowed with"),
        (["*.jsonl", "--ray", "nonsense"], "cannot reach a Ray cluster at 'nonsense'"),
    ],
)
def test_bad_input_is_refused(arguments, message, capsys):
    assert main(["corpus", "encode", *arguments, "--tokenizer", "tok", "--out", "tokens"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("tokens").exists()
