"""`homespun tokenizer` from the command line: what it prints, what it writes, what it refuses."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from homespun.cli.main import main
from homespun.tokenizer import Tokenizer, train_bpe

END = "<|endoftext|>"


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"low low lower newest newest widest" + END.encode() + b"low \xe4\xb8\xad\xe6\x96\x87\n")
    return path


@pytest.fixture
def tokenizer(corpus, tmp_path, capsys):
    assert main(["tokenizer", "train", str(corpus), "--vocab-size", "270", "--special-token", END, *out(tmp_path)]) == 0
    capsys.readouterr()
    return str(tmp_path / "tokenizer")


def out(tmp_path):
    return ["--out", str(tmp_path / "tokenizer")]


def feed(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_train_writes_what_train_bpe_returns(tokenizer, corpus):
    """Oracle: the library's own result."""
    loaded = Tokenizer.load(tokenizer)
    assert (loaded.vocab, loaded.merges) == train_bpe(corpus, 270, [END])
    assert loaded.special_tokens == {END: 0}


def test_train_says_what_came_of_it(corpus, tmp_path, capsys):
    """Oracle: the facts that the loaded tokenizer states."""
    arguments = ["--vocab-size", "10_000", "--pattern", "gpt4", "--threads", "2", "--chunk", "1KB"]
    assert main(["tokenizer", "train", str(corpus), *arguments, *out(tmp_path)]) == 0
    said = capsys.readouterr().out
    loaded = Tokenizer.load(tmp_path / "tokenizer")
    assert loaded.fingerprint in said
    assert f"{len(loaded.merges):,} of them merged" in said
    assert "no more pairs to merge" in said


def test_an_extended_tokenizer_keeps_its_added_tokens(corpus, tmp_path):
    """Oracle: the tokenizer that is extended: added tokens are found in text, special tokens aside."""
    vocab, merges = train_bpe(corpus, 262, [END])
    small = Tokenizer(vocab | {263: b"<think>"}, merges, [END], added_tokens=["<think>"])
    small.save(tmp_path / "small")
    assert (
        main(
            [
                "tokenizer",
                "train",
                str(corpus),
                "--vocab-size",
                "270",
                "--extend",
                str(tmp_path / "small"),
                *out(tmp_path),
            ]
        )
        == 0
    )
    extended = Tokenizer.load(tmp_path / "tokenizer")
    assert extended.added_tokens == small.added_tokens == {"<think>": 263}
    assert extended.encode("<think>", "text") == [263]
    assert extended.merges[: len(merges)] == merges
    assert len(extended.merges) > len(merges)


def test_tokens_are_counted_where_ids_have_gaps(tmp_path, capsys):
    """Derived by hand: 256 bytes and one token, whose id is 999."""
    Tokenizer({id_: bytes([id_]) for id_ in range(256)} | {999: b"ab"}, [(b"a", b"b")]).save(tmp_path / "tok")
    assert main(["tokenizer", "inspect", str(tmp_path / "tok")]) == 0
    assert "257 tokens" in capsys.readouterr().out


def test_train_says_what_it_made_on_an_ascii_terminal(tmp_path):
    """Oracle: the longest token, escaped: it is Japanese, and standard output cannot encode it."""
    (tmp_path / "a.txt").write_text("\u65e5\u672c\u8a9e " * 40)
    command = [sys.executable, "-m", "homespun", "tokenizer", "train", "a.txt", "--vocab-size", "300", "--out", "tok"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\u65e5\\u672c\\u8a9e" in done.stdout


def test_train_extends_a_tokenizer(corpus, tmp_path, capsys):
    """Oracle: training once, by the other rule for ties."""
    small = ["--special-token", END, "--vocab-size", "262", "--ties", "ids", "--out", str(tmp_path / "262")]
    assert main(["tokenizer", "train", str(corpus), *small]) == 0
    extended = str(tmp_path / "extended")
    larger = ["--vocab-size", "270", "--ties", "ids", "--extend", str(tmp_path / "262"), "--out", extended]
    assert main(["tokenizer", "train", str(corpus), *larger]) == 0
    assert Tokenizer.load(extended) == Tokenizer(*train_bpe(corpus, 270, [END], ties="ids"), [END])
    assert main(["tokenizer", "train", str(corpus), *larger, "--pattern", "gpt2"]) == 2
    assert "leave out --pattern and --special-token" in capsys.readouterr().err


def test_another_tokenizer_is_not_replaced(tokenizer, corpus, tmp_path, capsys):
    """Oracle: the files' bytes and times: equal, they are kept; another tokenizer needs --force, whatever differs."""
    command = ["tokenizer", "train", str(corpus), "--vocab-size", "270", *out(tmp_path)]
    same = [*command, "--special-token", END]
    file = tmp_path / "tokenizer" / "tokenizer.json"
    before = file.read_bytes()
    assert main(same) == 0
    assert file.read_bytes() == before
    capsys.readouterr()
    other_text = tmp_path / "other.txt"
    other_text.write_text("wide wider widest")
    for other in (command, [*same, "--pattern", "gpt4"], ["tokenizer", "train", str(other_text), *same[3:]]):
        assert main(other) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert str(tmp_path / "tokenizer") in said
        assert "--force" in said
        assert file.read_bytes() == before
    assert main([*command, "--force"]) == 0
    assert file.read_bytes() != before


def test_a_special_token_that_text_may_merge_is_refused_before_reading(tmp_path, capsys):
    """Oracle: derived by hand: in JSON lines special tokens are ordinary text, of which P, A, D merge to PAD."""
    (tmp_path / "a.jsonl").write_text('{"text": "the PAD value PAD PAD"}\n' * 50)
    command = ["tokenizer", "train", "--vocab-size", "290", *out(tmp_path)]
    assert main([*command, str(tmp_path / "a.jsonl"), "--special-token", "PAD"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'PAD'" in said
    assert not (tmp_path / "tokenizer").exists()
    # From plain text the special token is removed, so that no merge makes it.
    (tmp_path / "a.txt").write_text("the PAD value PAD PAD" * 50)
    assert main([*command, str(tmp_path / "a.txt"), "--special-token", "PAD"]) == 0
    # But the name of " the" in the files' printable alphabet is not in the text, and would be taken for the word.
    assert main([*command, str(tmp_path / "a.txt"), "--special-token", "\u0120the", "--force"]) == 2
    assert main([*command, str(tmp_path / "a.jsonl"), "--special-token", "<|PAD|>", "--force"]) == 0


def test_encode_prints_ids(tokenizer, tmp_path, capsys, monkeypatch):
    """Oracle: the library's own ids, of a text on the command line, in a file, on standard input."""
    text = f"low\nnewest {END}"
    ids = " ".join(map(str, Tokenizer.load(tokenizer).encode(text)))
    assert main(["tokenizer", "encode", tokenizer, "--text", text]) == 0
    (tmp_path / "text.txt").write_text(text)
    assert main(["tokenizer", "encode", tokenizer, str(tmp_path / "text.txt")]) == 0
    feed(monkeypatch, text.encode())
    assert main(["tokenizer", "encode", tokenizer, "-"]) == 0
    assert capsys.readouterr().out == f"{ids}\n" * 3
    assert main(["tokenizer", "encode", tokenizer, "--text", END, "--special", "text"]) == 0
    assert capsys.readouterr().out.split()[0] != "0"


def test_encode_writes_numpy(tokenizer, tmp_path):
    """Oracle: the library's own ids; 270 ids fit in 16 bits."""
    path = tmp_path / "ids.npy"
    assert main(["tokenizer", "encode", tokenizer, "--text", "low newest", "--out", str(path)]) == 0
    ids = np.load(path)
    assert ids.dtype == np.uint16
    assert ids.tolist() == Tokenizer.load(tokenizer).encode("low newest")


def test_inspect_describes_the_tokenizer(tokenizer, capsys):
    """Oracle: the facts that the loaded tokenizer states."""
    loaded = Tokenizer.load(tokenizer)
    assert main(["tokenizer", "inspect", tokenizer]) == 0
    said = capsys.readouterr().out
    for fact in (f"{loaded.vocab_size} tokens", f"{END} 0", "pattern         gpt2", loaded.fingerprint):
        assert fact in said


def test_inspect_shows_boundaries_and_compression(tokenizer, capsys):
    """Oracle: derived by hand; a token that is part of a character is shown in bytes."""
    text = f"low\u4e2d{END}"
    assert main(["tokenizer", "inspect", tokenizer, text]) == 0
    shown, ids, ratio = capsys.readouterr().out.splitlines()
    assert shown.startswith("|low|")
    assert shown.endswith(f"|{END}|")
    num_tokens = len(ids.split())
    assert ratio == f"19 bytes, {num_tokens} tokens: {19 / num_tokens:.2f} bytes per token"
    assert main(["tokenizer", "inspect", tokenizer, ""]) == 0
    assert "0 tokens: no bytes per token" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "MISSING", "--vocab-size", "300"], "MISSING: no such file"),
        (["train", "CORPUS", "--vocab-size", "255"], "--vocab-size = 255 is too small: 256 bytes"),
        (["train", "CORPUS", "--vocab-size", "many"], "'many' is not a whole number"),
        (["train", "CORPUS"], "--vocab-size"),
        (["train", "EMPTY", "--vocab-size", "300"], "EMPTY: the file is empty"),
        (["train", "INVALID", "--vocab-size", "300"], "INVALID: byte 4 is not valid UTF-8"),
        (["train", "CORPUS", "--vocab-size", "300", "--threads", "0"], "num_threads = 0"),
        (["train", "CORPUS", "--vocab-size", "300", "--pattern", "("], "pattern"),
        (["train", "CORPUS", "--vocab-size", "300", "--special-token", ""], "a special token is empty"),
        (["train", "CORPUS", "--vocab-size", "300", "--special-token", "\udcff"], "udcff"),
        (["train", "CORPUS", "--vocab-size", "300", "--special-token", "a"], "'a' is the same as an ordinary token"),
        (["encode", "MISSING", "--text", "text"], "MISSING: no tokenizer there"),
        (["nothing"], "has no command 'nothing'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, corpus, tmp_path, capsys, monkeypatch):
    """Oracle: exit code 2, one line naming the place, no directory made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").write_bytes(b"")
    (tmp_path / "INVALID").write_bytes(b"good\xff")
    corpus.rename(tmp_path / "CORPUS")
    arguments = [*arguments, *out(tmp_path)] if arguments[0] == "train" else arguments
    assert main(["tokenizer", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("homespun: error: ")
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "tokenizer").exists()


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        (
            ["--text", "text", "--special", "maybe"],
            b"",
            "--special = 'maybe' is unknown; choose one of encode, text, reject",
        ),
        (["--text", f"a{END}", "--special", "reject"], b"", END),
        (["-"], b"good\xff", "standard input: byte 4"),
        (["nowhere.txt"], b"", "nowhere.txt: no such file"),
        ([], b"", "--text"),
        (["--text", "a\udcff"], b"", r"'a\udcff' is not valid UTF-8"),
    ],
)
def test_encode_refuses_bad_text(arguments, data, message, tokenizer, tmp_path, capsys, monkeypatch):
    """Oracle: exit code 2, one line naming the place, no file written."""
    feed(monkeypatch, data)
    path = tmp_path / "ids.npy"
    assert main(["tokenizer", "encode", tokenizer, *arguments, "--out", str(path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize("command", [[], ["train"], ["encode"], ["inspect"]])
def test_help(command, capsys):
    """Oracle: the usage line."""
    assert main(["tokenizer", *command, "--help"]) == 0
    assert "usage: homespun tokenizer" in capsys.readouterr().out
