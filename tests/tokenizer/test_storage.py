"""Tokenizers on disk: what is written is read back, and what is wrong is refused by place."""

import base64
import json

import pytest

from homespun.errors import HomespunError, MissingFileError, StorageError, TokenizerError
from homespun.tokenizer import Tokenizer, train_bpe_from_counts
from homespun.tokenizer.storage.printable import from_printable, to_printable

END = "<|endoftext|>"
TEXT = f"the cat, 'The' 12345 caf\u00e9\n\n {END}\r\n<pad> \U0001f600"


def make(special_tokens=(END, "<end of text>", "\u00e9t\u00e9"), pattern="gpt2"):
    counts = {b" the": 9, b"cat": 4, "caf\u00e9".encode(): 3, b"\n\n": 2, b" \xf0\x9f\x98\x80": 2}
    vocab, merges = train_bpe_from_counts(counts, 262 + len(special_tokens), list(special_tokens))
    return Tokenizer(vocab, merges, list(special_tokens), pattern=pattern)


def edit(path, change):
    """Rewrite the JSON file at `path` after `change` has had its way with it."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_printable_bytes_are_gpt2s(shared_data):
    """Oracle: the first 256 tokens of GPT-2's vocabulary are the alphabet; and identity."""
    vocab = json.loads((shared_data / "assignment" / "gpt2_vocab.json").read_text())
    alphabet = {to_printable(bytes([byte])) for byte in range(256)}
    assert alphabet == {word for word, id_ in vocab.items() if id_ < 256}
    assert to_printable(b" a\n") == "\u0120a\u010a"
    assert from_printable(to_printable(bytes(range(256)))) == bytes(range(256))
    assert from_printable("a b") is None


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "o200k", r"\w+|\W"])
def test_a_directory_gives_back_what_was_saved(pattern, tmp_path):
    """Oracle: equality of every part."""
    tokenizer = make(pattern=pattern)
    tokenizer.save(tmp_path / "new" / "tokenizer")
    loaded = Tokenizer.load(tmp_path / "new" / "tokenizer")
    assert loaded == tokenizer
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode(TEXT) == tokenizer.encode(TEXT)
    assert Tokenizer.load(tmp_path / "new" / "tokenizer" / "tokenizer.json") == tokenizer
    assert sorted(path.name for path in (tmp_path / "new" / "tokenizer").iterdir()) == [
        "merges.txt",
        "tokenizer.json",
        "vocab.json",
    ]


def test_saving_again_writes_the_same_bytes(tmp_path):
    """Oracle: the first files."""
    make().save(tmp_path / "a")
    Tokenizer.load(tmp_path / "a").save(tmp_path / "b")
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_gpt2s_files_give_back_what_was_saved(tmp_path):
    """Oracle: equality; without tokenizer.json the special tokens are those that no merge makes."""
    tokenizer = make()
    tokenizer.save(tmp_path)
    files = tmp_path / "vocab.json", tmp_path / "merges.txt"
    assert Tokenizer.from_files(*files, list(tokenizer.special_tokens)) == tokenizer
    (tmp_path / "tokenizer.json").unlink()
    assert Tokenizer.load(tmp_path) == tokenizer


def test_from_files_without_special_tokens_takes_none(tmp_path):
    """Oracle: the assignment's interface."""
    make([END]).save(tmp_path)
    tokenizer = Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert tokenizer.special_tokens == {}
    assert 0 not in tokenizer.encode(END)


def test_the_tokenizer_of_tinystories_loads(shared_data):
    """Oracle: what shared/data's README says of it, and identity."""
    tokenizer = Tokenizer.load(shared_data / "tinystories" / "tokenizer")
    assert tokenizer.vocab_size == 10_000
    assert tokenizer.special_tokens == {END: 0}
    assert tokenizer.id_to_token(1) == b"\0"
    assert max(tokenizer.vocab.values(), key=len) == b" accomplishment"
    text = (shared_data / "assignment" / "tinystories_sample.txt").read_text()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_special_token_may_be_a_byte_that_prints_as_itself(tmp_path):
    """Oracle: equality; in a vocabulary of bytes alone "a" has one id."""
    tokenizer = Tokenizer({byte: bytes([byte]) for byte in range(256)}, [], ["a"])
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path) == tokenizer


@pytest.mark.parametrize("special", ["a", "\u00e9", "\u0120the"])
def test_what_the_formats_cannot_tell_apart_is_refused(special, tmp_path):
    """Oracle: a vocabulary file has one id for a word; nothing may be written."""
    with pytest.raises(TokenizerError, match="cannot be told from an ordinary token"):
        make([special]).save(tmp_path / "tokenizer")
    assert not (tmp_path / "tokenizer").exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    """Oracle: the path in the message."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        make().save(tmp_path / "taken")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("model"), "model: expected a JSON object"),
        (lambda v: v["model"].update(type="Unigram"), r"model\.type is 'Unigram'"),
        (lambda v: v["model"].update(merges=3), "merges: expected a JSON array"),
        (lambda v: v["model"]["merges"].append("a b c"), r"model\.merges\[\d+\]: expected two tokens"),
        (lambda v: v["model"]["merges"].append(["a"]), r"model\.merges\[\d+\]: expected two tokens"),
        (lambda v: v["model"]["merges"].append(7), r"model\.merges\[\d+\]: expected"),
        (lambda v: v["model"]["merges"].append("q x"), r"merge \d+ .*b'qx'.*lacks"),
        (lambda v: v["model"]["vocab"].update(a="7"), "the id of 'a' is '7'"),
        (lambda v: v["model"]["vocab"].update(a=5), "id 5 stands twice"),
        (lambda v: v["model"].update(byte_fallback=True), r"model\.byte_fallback is True"),
        (lambda v: v["model"].update(ignore_merges=True), r"model\.ignore_merges is True"),
        (lambda v: v.update(normalizer={"type": "NFC"}), "normalizer is .*NFC"),
        (lambda v: v.update(pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer: .*Whitespace"),
        (lambda v: v.update(post_processor={"type": "TemplateProcessing"}), "post_processor"),
        (lambda v: v["added_tokens"][0].update(lstrip=True), r"added_tokens\[0\]\.lstrip is true"),
        (lambda v: v["added_tokens"][0].pop("content"), r"added_tokens\[0\]: expected an object"),
        (lambda v: v["added_tokens"][0].update(id=77), ".* has id 77, but 0 in model.vocab"),
    ],
)
def test_a_wrong_tokenizer_json_is_refused_by_place(change, message, tmp_path):
    """Oracle: the file and the key in the message."""
    make().save(tmp_path)
    edit(tmp_path / "tokenizer.json", change)
    with pytest.raises(TokenizerError, match=f"tokenizer.json: {message}"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"version": "1.0", ', "not valid JSON"),
        (b"[]", "a JSON object; got list"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_broken_json_is_refused(data, message, tmp_path):
    """Oracle: the file in the message."""
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(TokenizerError, match=f"tokenizer.json: .*{message}"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a", "expected two tokens"),
        ("a b c", "expected two tokens"),
        ("a  b", "expected two"),
        ("a \u4e2d", "two tokens"),
    ],
)
def test_a_wrong_line_of_merges_is_refused_by_number(line, message, tmp_path):
    """Oracle: the file and the line in the message; line 1 is the version."""
    make().save(tmp_path)
    path = tmp_path / "merges.txt"
    path.write_text(f"#version: 0.2\n{line}\n")
    with pytest.raises(TokenizerError, match=rf"merges\.txt:2: .*{message}"):
        Tokenizer.from_files(tmp_path / "vocab.json", path)


def test_merges_may_lack_the_version_and_end_in_any_line_end(tmp_path):
    """Oracle: equality with the file as written."""
    make().save(tmp_path)
    files = tmp_path / "vocab.json", tmp_path / "merges.txt"
    expected = Tokenizer.from_files(*files)
    lines = files[1].read_text().splitlines()
    files[1].write_bytes("\r\n".join(lines[1:]).encode())
    assert Tokenizer.from_files(*files) == expected


def test_a_truncated_vocabulary_is_refused(tmp_path):
    """Oracle: the file in the message."""
    make().save(tmp_path)
    edit(tmp_path / "vocab.json", lambda words: words.popitem())
    with pytest.raises(TokenizerError, match=r"vocab\.json: merge \d+ .*lacks"):
        Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_missing_tokenizers_are_named(tmp_path):
    """Oracle: the path and the command that makes one."""
    with pytest.raises(MissingFileError, match=r"nowhere.*homespun tokenizer train"):
        Tokenizer.load(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match="no tokenizer there"):
        Tokenizer.load(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(MissingFileError, match=r"merges\.txt"):
        Tokenizer.load(tmp_path)
    with pytest.raises(HomespunError, match="directory"):
        Tokenizer.from_files(tmp_path, tmp_path)


def tiktoken_lines(tokenizer):
    ordinary = {id_: token for id_, token in tokenizer.vocab.items() if id_ not in tokenizer.special_tokens.values()}
    return [f"{base64.b64encode(token).decode()} {id_}" for id_, token in ordinary.items()]


def test_tiktoken_files_give_the_merges_back(tmp_path):
    """Oracle: the tokenizer whose tokens and ranks were written."""
    tokenizer = make([END])
    path = tmp_path / "small.tiktoken"
    path.write_text("\n".join(tiktoken_lines(tokenizer)) + "\n")
    assert Tokenizer.from_tiktoken(path, {END: 0}, pattern="gpt2") == tokenizer


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("YQ==", r"small\.tiktoken:2: expected a base64 token"),
        ("Y! 300", r"small\.tiktoken:2: expected a base64 token"),
        ("YWI= x", r"small\.tiktoken:2: expected a base64 token"),
        ("YQ== 1", r"small\.tiktoken:2: rank 1 stands twice"),
        ("YWJj 300", r"small\.tiktoken: no merge .* makes b'abc' \(rank 300\)"),
        ("YQ== 0", r"small\.tiktoken: id 0 of the special token '<\|endoftext\|>' is taken"),
    ],
)
def test_a_wrong_tiktoken_file_is_refused_by_place(line, message, tmp_path):
    """Oracle: the file, the line and the token in the message."""
    path = tmp_path / "small.tiktoken"
    path.write_text(f"Yg== 1\n{line}\n")
    with pytest.raises(TokenizerError, match=message):
        Tokenizer.from_tiktoken(path, {END: 0})


def test_load_refuses_what_says_too_little(tmp_path):
    """Oracle: the remedy in the message."""
    path = tmp_path / "small.tiktoken"
    path.write_text("YQ== 0\n")
    with pytest.raises(TokenizerError, match=r"Tokenizer\.from_tiktoken"):
        Tokenizer.load(path)
