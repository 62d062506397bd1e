"""`homespun tokenizer count` from the command line: what it prints, what it writes, what it refuses."""

import pytest

from homespun.cli.main import main
from homespun.tokenizer.counts_file import read_counts

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
    counted = read_counts(out)
    assert counted.pretokens.items() == [(b"\n", 40), (b" low", 40), (b" lower", 40), (b"low", 80)]
    assert counted.header.special_tokens == [END]


def test_shards_are_merged(corpus, tmp_path):
    """Oracle: counting at once, but for the parts in the header."""
    for number in (1, 2, 3):
        assert count(corpus, "--shard", f"{number}/3", out=tmp_path / f"{number}.counts") == 0
    assert count(*(tmp_path / f"{number}.counts" for number in (3, 1, 2)), out=tmp_path / "all.counts") == 0
    assert count(corpus, out=tmp_path / "whole.counts") == 0
    merged, whole = (read_counts(tmp_path / f"{name}.counts").pretokens for name in ("all", "whole"))
    assert merged.items() == whole.items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CORPUS", "--shard", "4/3"], "shard 4/3 does not exist"),
        (["CORPUS", "--shard", "third"], "'third' is no shard"),
        (["CORPUS", "--max-memory", "1MB"], "max_memory = 1,000,000 bytes is too little"),
        (["CORPUS", "--max-memory", "much"], "'much' is not a size"),
        (["nowhere.txt"], "nowhere.txt"),
        (["nowhere.counts"], "nowhere.counts: no such file"),
        (["nowhere.counts", "--pattern", "gpt4"], "--pattern was decided when nowhere.counts was counted"),
        (["nowhere.counts", "--shard", "1/2"], "--shard was decided when nowhere.counts was counted"),
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
