"""`homespun tokenizer train` on several inputs, on counts, and in stated memory."""

import gzip
import json

import pytest

from homespun.cli.main import main
from homespun.tokenizer import CountOptions, Tokenizer, train_bpe

END = "<|endoftext|>"
TEXT = f"low low lower newest newest widest{END}low lowest" * 9


@pytest.fixture
def inputs(tmp_path):
    """The same text twice, by different ways, and JSON lines in which the special token is ordinary text."""
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "c.jsonl").write_text(json.dumps({"body": f"newer {END} newer"}) + "\n")
    return [str(tmp_path / name) for name in ("a.txt", "b.txt.gz", "c.jsonl")]


def train(*arguments, out):
    return main(["tokenizer", "train", *map(str, arguments), "--vocab-size", "275", "--out", str(out)])


def test_several_inputs_are_one_corpus(inputs, tmp_path):
    """Oracle: the library; and that the special token of the JSON line was merged, that of the text not."""
    arguments = ["--special-token", END, "--text-key", "body"]
    assert train(*inputs, *arguments, out=tmp_path / "tokenizer") == 0
    loaded = Tokenizer.load(tmp_path / "tokenizer")
    expected = train_bpe(inputs, 275, [END], options=CountOptions(text_key="body"))
    assert (loaded.vocab, loaded.merges) == expected
    doubled = tmp_path / "twice.txt"
    doubled.write_text(f"{TEXT}{END}{TEXT}{END}")
    assert train_bpe(inputs[:2], 275, [END]) == train_bpe(doubled, 275, [END])
    assert expected != train_bpe(inputs[:2], 275, [END])


def test_counts_train_what_their_text_trains(inputs, tmp_path, capsys):
    """Oracle: training on the text. Pattern and special tokens come from the files."""
    settings = ["--special-token", END, "--pattern", "gpt4"]
    assert train(*inputs[:2], *settings, "--max-memory", "300MB", out=tmp_path / "text") == 0
    for number, text in enumerate(inputs[:2], start=1):
        assert main(["tokenizer", "count", text, *settings, "--out", str(tmp_path / f"{number}.counts")]) == 0
    counts = [tmp_path / "2.counts", tmp_path / "1.counts"]
    assert train(*counts, "--max-memory", "300MB", out=tmp_path / "counts") == 0
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        assert (tmp_path / "text" / name).read_bytes() == (tmp_path / "counts" / name).read_bytes()
    capsys.readouterr()

    assert train(*counts, "--pattern", "gpt4", out=tmp_path / "none") == 2
    assert "--pattern was decided when" in capsys.readouterr().err
    assert train(*counts, inputs[0], out=tmp_path / "none") == 2
    assert "2.counts is a counts file, but not all inputs are" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_tokenizer_is_extended_on_counts_of_its_own_settings(inputs, tmp_path, capsys):
    """Oracle: training at once on the text."""
    text = inputs[0]
    small, large, out = tmp_path / "small", tmp_path / "large", tmp_path / "extended"
    assert main(["tokenizer", "train", text, "--special-token", END, "--vocab-size", "262", "--out", str(small)]) == 0
    assert train(text, "--special-token", END, out=large) == 0
    for name, tokens in (("same", ["--special-token", END]), ("other", [])):
        assert main(["tokenizer", "count", text, *tokens, "--out", str(tmp_path / f"{name}.counts")]) == 0
    assert train(tmp_path / "same.counts", "--extend", small, out=out) == 0
    assert (out / "tokenizer.json").read_bytes() == (large / "tokenizer.json").read_bytes()
    capsys.readouterr()
    assert train(tmp_path / "other.counts", "--extend", small, out=tmp_path / "none") == 2
    assert "other.counts was counted with special tokens []" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["text", "counts"])
def test_too_little_memory_is_refused_with_what_is_enough(kind, tmp_path, capsys):
    """Oracle: the figure itself: what the message asks for is enough, and less is not."""
    named = tmp_path / "many.txt"
    named.write_text("".join(f" {n * 2654435761 % 2**32:x}" for n in range(20_000)))
    if kind == "counts":
        assert main(["tokenizer", "count", str(named), "--out", str(tmp_path / "many.counts")]) == 0
        named = tmp_path / "many.counts"
        capsys.readouterr()
    assert train(named, "--max-memory", "51MB", out=tmp_path / "none") == 2
    said = capsys.readouterr().err
    assert "max_memory = 51,000,000 bytes is too little: merging" in said
    enough = int(said.partition("may take ")[2].partition(";")[0].replace(",", ""))
    assert train(named, "--max-memory", enough - 1, out=tmp_path / "none") == 2
    assert train(named, "--max-memory", enough, out=tmp_path / "enough") == 0
    assert not (tmp_path / "none").exists()
