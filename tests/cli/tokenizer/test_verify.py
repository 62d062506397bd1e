"""`homespun tokenizer verify`, against the peers that are installed for development."""

import sys

import pytest
import tiktoken

from homespun.cli.main import main
from homespun.storybook import generate_stories
from homespun.tokenizer import Tokenizer, train_bpe

END = "<|endoftext|>"
PATTERNS = ["gpt2", "gpt4", "o200k", r"\p{L}+|\s+|[^\s\p{L}]{1,3}"]


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "stories.txt"
    path.write_text(END.join(story.text for story in generate_stories(30, seed=0)), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module", params=PATTERNS)
def directory(request, text, tmp_path_factory) -> str:
    specials = [END, "<|pad|>"]
    vocab, merges = train_bpe(text, 400, specials, pattern=request.param)
    path = tmp_path_factory.mktemp("tokenizer") / "tok"
    Tokenizer(vocab, merges, specials, pattern=request.param).save(path)
    return str(path)


def rows(printed: str) -> list[tuple[str, ...]]:
    """The table's cells, its head aside."""
    lines = printed.split("sample:")[0].splitlines()[1:]
    return [tuple(cell.strip() for cell in line.split("  ") if cell.strip()) for line in lines]


def test_everything_agrees(directory, text, capsys):
    """Oracle: the peers themselves."""
    assert main(["tokenizer", "verify", directory, text, "--sample", "20KB", "--retrain"]) == 0
    found = rows(capsys.readouterr().out)
    assert [row[2] for row in found] == ["agrees"] * 10
    assert [row[1].split()[0] for row in found[:4]] == ["tiktoken", "tiktoken", "tokenizers", "reference"]


@pytest.mark.parametrize("directory", ["gpt2"], indirect=True)
def test_a_planted_peer_is_caught(directory, text, capsys, monkeypatch):
    """The peer forgets the last id of every text."""
    encode = tiktoken.Encoding.encode
    monkeypatch.setattr(tiktoken.Encoding, "encode", lambda *given, **named: encode(*given, **named)[:-1])
    assert main(["tokenizer", "verify", directory, text, "--sample", "5KB"]) == 1
    printed = capsys.readouterr().out
    assert [row[2] for row in rows(printed)][:2] == ["differs", "agrees"]
    assert "stories.txt: document 1: token " in printed
    assert "theirs none (the end)" in printed


@pytest.mark.parametrize("directory", ["gpt2"], indirect=True)
def test_a_planted_vocabulary_is_caught(directory, text, capsys, tmp_path):
    """Two merges have changed places: a tokenizer like any other, but not that of this text."""
    good = Tokenizer.load(directory)
    merges = [*good.merges[:40], good.merges[41], good.merges[40], *good.merges[42:]]
    Tokenizer(good.vocab, merges, [*good.special_tokens]).save(tmp_path)
    assert main(["tokenizer", "verify", str(tmp_path), text, "--sample", "5KB"]) == 0
    assert main(["tokenizer", "verify", str(tmp_path), text, "--sample", "5KB", "--retrain"]) == 1
    printed = capsys.readouterr().out
    assert f"merges, training again: differs: merge 41: ours {merges[40][0]!r} + " in printed


@pytest.mark.parametrize("directory", ["gpt2"], indirect=True)
def test_peers_that_are_missing_are_skipped_with_the_extra_that_has_them(directory, text, capsys, monkeypatch):
    for package in ("tiktoken", "tokenizers"):
        monkeypatch.setitem(sys.modules, package, None)
    assert main(["tokenizer", "verify", directory, text, "--sample", "5KB"]) == 0
    printed = capsys.readouterr().out
    found = rows(printed)
    assert found[:2] == [("ids", "tiktoken", "skipped"), ("ids", "tokenizers", "skipped")]
    assert found[-1] == ("merges", "training again", "skipped")
    assert (
        "ids, tiktoken: skipped: this comparison needs tiktoken: pip install tiktoken (the extra homespun[bench])"
        in printed
    )


def test_a_pattern_that_a_peer_cannot_run_is_said(text, capsys, tmp_path):
    """Python's regex knows no braces after `\\x`; fancy-regex and oniguruma do."""
    pattern = r"[\x{61}-\x{7a}]+|[^\x{61}-\x{7a}]+"
    vocab, merges = train_bpe(text, 260, [], pattern=pattern)
    Tokenizer(vocab, merges, pattern=pattern).save(tmp_path)
    assert main(["tokenizer", "verify", str(tmp_path), text, "--sample", "5KB"]) == 0
    printed = capsys.readouterr().out
    assert "ids, reference: skipped: Python's regex cannot run this pattern" in printed
    assert [row[2] for row in rows(printed)[:4]] == ["agrees", "agrees", "agrees", "skipped"]


def test_bad_input_is_refused(text, tmp_path, capsys):
    assert main(["tokenizer", "verify", str(tmp_path / "absent"), text]) == 2
    assert main(["tokenizer", "verify", str(tmp_path), str(tmp_path / "absent.txt")]) == 2
    assert main(["tokenizer", "verify", str(tmp_path), text, "--sample", "many"]) == 2
    assert "is not a size" in capsys.readouterr().err


def test_nested_special_tokens_are_not_compared_with_tiktoken(text, capsys, tmp_path):
    """Oracle: tokenizers and the reference, which both define that the longer one is found; tiktoken does not."""
    specials = ["<x>", "<x><x>"]
    vocab, merges = train_bpe(text, 300, specials)
    Tokenizer(vocab, merges, specials).save(tmp_path / "tok")
    assert main(["tokenizer", "verify", str(tmp_path / "tok"), text, "--sample", "5KB"]) == 0
    printed = capsys.readouterr().out
    assert rows(printed)[0] == ("ids", "tiktoken", "skipped")
    assert "'<x>' is within '<x><x>'" in " ".join(printed.split())


def test_added_tokens_that_are_not_special_agree(text, capsys, tmp_path):
    """Oracle: tokenizers and the reference."""
    vocab, merges = train_bpe(text, 300, [])
    tokenizer = Tokenizer(vocab, merges, ["<think>"])
    tokenizer.save(tmp_path / "tok")
    path = tmp_path / "tok" / "tokenizer.json"
    path.write_text(
        path.read_text().replace('"special": true', '"special": false').replace('"special":true', '"special":false')
    )
    assert Tokenizer.load(tmp_path / "tok").added_tokens
    thoughts = tmp_path / "thoughts.txt"
    thoughts.write_text("a <think> about stories <think>" * 20)
    assert main(["tokenizer", "verify", str(tmp_path / "tok"), str(thoughts), "--sample", "5KB"]) == 0
    assert "differs" not in capsys.readouterr().out
