"""`homespun tokenizer count` from the command line: what it prints, what it writes, what it refuses."""

import os

import pytest

from homespun.cli.main import main
from homespun.tokenizer.counting.file import read_counts, read_header

END = "<|endoftext|>"


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(f"low low lower{END}low\n" * 40)
    return str(path)


def count(*arguments, out):
    return main(["tokenizer", "count", *map(str, arguments), "--out", str(out)])


def test_counts_are_written_and_told(corpus, tmp_path, capsys):
    """Derived by hand: 40 times low, " low", " lower", low and a line feed."""
    out = tmp_path / "a.counts"
    assert count(corpus, "--special-token", END, "--threads", 2, "--max-memory", "40MB", out=out) == 0
    said = capsys.readouterr().out
    assert "pre-tokens  200 (4 distinct, 14 bytes)" in said
    assert f"written to  {out}" in said
    assert read_counts([out]).items() == [(b"\n", 40), (b" low", 40), (b" lower", 40), (b"low", 80)]
    assert read_header(out).special_tokens == [END]


def test_counts_are_merged(corpus, tmp_path):
    """Oracle: counting both inputs at once."""
    other = tmp_path / "other.txt"
    other.write_text("lowest low")
    for number, text in enumerate((corpus, other)):
        assert count(text, out=tmp_path / f"{number}.counts") == 0
    assert count(tmp_path / "1.counts", tmp_path / "0.counts", out=tmp_path / "merged.counts") == 0
    assert count(corpus, other, "--range", "100B", out=tmp_path / "both.counts") == 0
    merged, both = (read_counts([tmp_path / f"{name}.counts"]) for name in ("merged", "both"))
    assert merged.items() == both.items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CORPUS", "--range", "0"], "range_bytes = 0"),
        (["CORPUS", "--max-memory", "1MB"], "max_memory = 1,000,000 bytes is too little"),
        (["CORPUS", "--max-memory", "much"], "'much' is not a size"),
        (["nowhere.txt"], "nowhere.txt"),
        (["nowhere.counts"], "nowhere.counts: no such file"),
        (["nowhere.counts", "--pattern", "gpt4"], "--pattern was decided when nowhere.counts was counted"),
        (["nowhere.counts", "--text-key", "body"], "--text-key was decided when nowhere.counts was counted"),
        (["nowhere.counts", "CORPUS"], "nowhere.counts is a counts file, but not all inputs are"),
        (["CORPUS", "--special-token", "\udcff"], "udcff"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, corpus, tmp_path, capsys):
    """Oracle: exit code 2, and the directory as it was."""
    before = set(tmp_path.iterdir())
    named = [corpus if argument == "CORPUS" else argument for argument in arguments]
    assert count(*named, out=tmp_path / "out.counts") == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize("command", [["count"], ["train", "--vocab-size", "300"]])
def test_a_pipe_is_refused_before_it_is_opened(command, tmp_path, capsys):
    """Oracle: exit code 2; opening a pipe that nobody writes to would wait for ever."""
    os.mkfifo(tmp_path / "pipe.txt")
    assert main(["tokenizer", *command, str(tmp_path / "pipe.txt"), "--out", str(tmp_path / "out.counts")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "pipe.txt") in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.counts").exists()
