"""Tokenizers on disk: what is written is read back, and what is wrong is refused by place."""

import base64
import json

import pytest

from homespun.errors import HomespunError, MissingFileError, StorageError, TokenizerError
from homespun.tokenizer import Tokenizer, train_bpe_from_counts
from homespun.tokenizer.storage.printable import from_printable, to_printable
from refusals import refuses

END = "<|endoftext|>"
FILES = ["merges.txt", "tokenizer.json", "tokenizer_config.json", "vocab.json"]
TEXT = f"the cat, 'The' 12345 caf\u00e9\n\n {END}\r\n<pad> \U0001f600"


def make(special_tokens=(END, "<end of text>", "\u00e9t\u00e9"), pattern="gpt2"):
    counts = {b" the": 9, b"cat": 4, "caf\u00e9".encode(): 3, b"\n\n": 2, b" \xf0\x9f\x98\x80": 2}
    vocab, merges = train_bpe_from_counts(counts, 262 + len(special_tokens), list(special_tokens))
    return Tokenizer(vocab, merges, list(special_tokens), pattern=pattern)


def split_by(regex, behavior="Isolated", invert=False):
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"type": "Sequence", "pretokenizers": [split, byte_level]}


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
    assert sorted(path.name for path in (tmp_path / "new" / "tokenizer").iterdir()) == sorted(FILES)


def test_saving_again_writes_the_same_bytes(tmp_path):
    """Oracle: the first files."""
    make().save(tmp_path / "a")
    Tokenizer.load(tmp_path / "a").save(tmp_path / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_gpt2s_files_give_back_what_was_saved(tmp_path):
    """Oracle: equality; in others' directories the special tokens are those that no merge makes."""
    tokenizer = make()
    tokenizer.save(tmp_path)
    files = tmp_path / "vocab.json", tmp_path / "merges.txt"
    assert Tokenizer.from_files(*files, list(tokenizer.special_tokens)) == tokenizer
    as_written_by_others(tmp_path)
    assert Tokenizer.load(tmp_path) == tokenizer


def as_written_by_others(folder, cut=0):
    """Keep GPT-2's two files alone, in its layout, without the last `cut` merges."""
    merges = folder / "merges.txt"
    lines = merges.read_text().splitlines()[1:]
    merges.write_text("\n".join(["#version: 0.2", *lines[: len(lines) - cut]]) + "\n")
    edit(folder / "vocab.json", lambda words: None)
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize("cut", [1, 3])
def test_merges_cut_off_at_a_line_end_are_noticed(cut, tmp_path):
    """Oracle: the number in the first line of our file; in others' a word that the next merge would make."""
    tokenizer = make()
    tokenizer.save(tmp_path)
    merges = tmp_path / "merges.txt"
    lines = merges.read_text().splitlines()
    merges.write_text("\n".join(lines[:-cut]) + "\n")
    with refuses(TokenizerError, merges, len(tokenizer.merges), len(tokenizer.merges) - cut):
        Tokenizer.from_files(tmp_path / "vocab.json", merges)
    merges.write_text("\n".join(lines) + "\n")
    as_written_by_others(tmp_path, cut)
    with refuses(TokenizerError, merges, "the end of the file"):
        Tokenizer.load(tmp_path)


def test_a_directory_without_its_tokenizer_json_is_refused(tmp_path):
    """Oracle: the missing file. Only it states the pattern and special tokens; GPT-2's pattern gives other ids."""
    make(pattern="gpt4").save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with refuses(MissingFileError, tmp_path, "tokenizer.json"):
        Tokenizer.load(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with refuses(MissingFileError, tmp_path, "tokenizer.json"):
        Tokenizer.load(tmp_path)


def test_files_that_an_older_version_left_are_refused(tmp_path):
    """Oracle: the missing file. The first line of merges.txt is GPT-2's; the layout of vocab.json is homespun's."""
    tokenizer = make(pattern="gpt4")
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    files = tmp_path / "vocab.json", tmp_path / "merges.txt"
    files[1].write_text("#version: 0.2\n" + files[1].read_text().partition("\n")[2])
    with refuses(MissingFileError, tmp_path, "tokenizer.json", "Tokenizer.from_files"):
        Tokenizer.load(tmp_path)
    assert Tokenizer.from_files(*files, list(tokenizer.special_tokens), pattern="gpt4") == tokenizer


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_one_file_of_a_directory_is_no_tokenizer(name, tmp_path):
    """Oracle: the directory to name instead."""
    make().save(tmp_path)
    with refuses(TokenizerError, tmp_path / name, "Tokenizer.from_files"):
        Tokenizer.load(str(tmp_path / name))


def test_a_pair_listed_twice_keeps_its_later_place(tmp_path):
    """Oracle: a table of ranks, as GPT-2's and tokenizers' loaders make: h and e are merged before t and h."""
    words = {"t": 0, "h": 1, "e": 2, "th": 3, "he": 4}
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nh e\nt h\n")
    tokenizer = Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert tokenizer.encode("the") == [0, 4]
    (tmp_path / "vocab.json").write_text(json.dumps(words | {"the": 5}))
    # In ranks th+e comes before t+h, which makes its left part: no list in order of creation says so.
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nh e\nth e\nt h\n")
    with refuses(TokenizerError, tmp_path / "vocab.json", "merge 3"):
        Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")


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
    with refuses(TokenizerError, repr(special)):
        make([special]).save(tmp_path / "tokenizer")
    assert not (tmp_path / "tokenizer").exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    """Oracle: the path in the message."""
    (tmp_path / "taken").write_text("")
    with refuses(StorageError, tmp_path / "taken"):
        make().save(tmp_path / "taken")


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda v: v.pop("model"), ["model:"]),
        (lambda v: v["model"].update(type="Unigram"), ["model.type", "Unigram"]),
        (lambda v: v["model"].update(merges=3), ["merges:"]),
        (lambda v: v["model"]["merges"].append("a b c"), ["model.merges[", "a b c"]),
        (lambda v: v["model"]["merges"].append(["a"]), ["model.merges[", "['a']"]),
        (lambda v: v["model"]["merges"].append(7), ["model.merges[", "7"]),
        (lambda v: v["model"]["merges"].append("q x"), ["merge ", "b'qx'"]),
        (lambda v: v["model"]["vocab"].update(a="7"), ["'a'", "'7'"]),
        (lambda v: v["model"]["vocab"].update(a=5), ["id 5"]),
        (lambda v: v["model"].update(byte_fallback=True), ["model.byte_fallback", "True"]),
        (lambda v: v["model"].update(ignore_merges=True), ["model.ignore_merges", "True"]),
        (lambda v: v.update(normalizer={"type": "NFC"}), ["normalizer", "NFC"]),
        (lambda v: v.update(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}]}), ["normalizer", "NFC"]),
        (lambda v: v.update(pre_tokenizer={"type": "Whitespace"}), ["pre_tokenizer", "Whitespace"]),
        (lambda v: v.update(pre_tokenizer={"type": "Sequence", "pretokenizers": []}), ["pre_tokenizer"]),
        (lambda v: v.update(pre_tokenizer=split_by(r"(?~a)")), ["pre_tokenizer", "(?~"]),
        (lambda v: v.update(pre_tokenizer=split_by(r"\w+", "Removed", True)), ["pre_tokenizer", "Isolated"]),
        (lambda v: v.update(pre_tokenizer=split_by(r"\w+", "Removed", False)), ["pre_tokenizer", "Isolated"]),
        (lambda v: v.update(post_processor={"type": "TemplateProcessing"}), ["post_processor", "TemplateProcessing"]),
        (lambda v: v["added_tokens"][0].update(lstrip=True), ["added_tokens[0].lstrip"]),
        (lambda v: v["added_tokens"][0].update(rstrip=True), ["added_tokens[0].rstrip"]),
        (lambda v: v["added_tokens"][0].update(single_word=True), ["added_tokens[0].single_word"]),
        (lambda v: v["added_tokens"][0].update(special="yes"), ["added_tokens[0].special", "'yes'"]),
        (lambda v: v["added_tokens"][0].pop("content"), ["added_tokens[0]"]),
        (lambda v: v["added_tokens"][0].update(unheard_of=True), ["added_tokens[0].unheard_of"]),
        (lambda v: v["added_tokens"][0].update(id=77), ["77", "model.vocab"]),
        (lambda v: v["added_tokens"].append(v["added_tokens"][0] | {"special": False}), ["added_tokens[3]", END]),
    ],
)
def test_a_wrong_tokenizer_json_is_refused_by_place(change, facts, tmp_path):
    """Oracle: the file and the key in the message."""
    make().save(tmp_path)
    edit(tmp_path / "tokenizer.json", change)
    with refuses(TokenizerError, tmp_path / "tokenizer.json", *facts):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (b"", "JSON"),
        (b'{"version": "1.0", ', "JSON"),
        (b"[]", "list"),
        (b'{"a": 1, "a": 2}', "'a'"),
        (b"\xff\xfe", "byte 0"),
        (b"[" * 100_000, "JSON"),
    ],
)
def test_broken_json_is_refused(data, fact, tmp_path):
    """Oracle: the file in the message."""
    (tmp_path / "tokenizer.json").write_bytes(data)
    with refuses(TokenizerError, tmp_path / "tokenizer.json", fact):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("line", ["a", "a b c", "a  b", "a \u4e2d"])
def test_a_wrong_line_of_merges_is_refused_by_number(line, tmp_path):
    """Oracle: the file and the line in the message; line 1 is the version."""
    make().save(tmp_path)
    path = tmp_path / "merges.txt"
    path.write_text(f"#version: 0.2\n{line}\n")
    with refuses(TokenizerError, f"{path}:2", repr(line)):
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
    with refuses(TokenizerError, tmp_path / "vocab.json", "merge "):
        Tokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_missing_tokenizers_are_named(tmp_path):
    """Oracle: the path and the command that makes one."""
    with refuses(MissingFileError, tmp_path / "nowhere", "homespun tokenizer train"):
        Tokenizer.load(tmp_path / "nowhere")
    with refuses(MissingFileError, tmp_path):
        Tokenizer.load(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    with refuses(MissingFileError, tmp_path / "merges.txt"):
        Tokenizer.load(tmp_path)
    with refuses(HomespunError, tmp_path, "directory"):
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
    ("line", "facts"),
    [
        ("YQ==", ["small.tiktoken:2", "'YQ=='"]),
        ("Y! 300", ["small.tiktoken:2", "'Y! 300'"]),
        ("YWI= x", ["small.tiktoken:2", "'YWI= x'"]),
        ("YQ== 1", ["small.tiktoken:2", "rank 1"]),
        ("YWJj 300", ["small.tiktoken", "b'abc'", "rank 300"]),
        ("YQ== 0", ["small.tiktoken", "id 0", END]),
    ],
)
def test_a_wrong_tiktoken_file_is_refused_by_place(line, facts, tmp_path):
    """Oracle: the file, the line and the token in the message."""
    path = tmp_path / "small.tiktoken"
    path.write_text(f"Yg== 1\n{line}\n")
    with refuses(TokenizerError, *facts):
        Tokenizer.from_tiktoken(path, {END: 0})


def test_load_refuses_what_says_too_little(tmp_path):
    """Oracle: the remedy in the message."""
    path = tmp_path / "small.tiktoken"
    path.write_text("YQ== 0\n")
    with refuses(TokenizerError, path, "Tokenizer.from_tiktoken"):
        Tokenizer.load(path)


def test_special_tokens_of_tiktoken_have_the_ids_stated(tmp_path):
    """Oracle: the ids given, though ordinary tokens have the same bytes."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"  ", b"    "]
    path = tmp_path / "spaces.tiktoken"
    path.write_text("".join(f"{base64.b64encode(token).decode()} {id_}\n" for id_, token in enumerate(tokens)))
    tokenizer = Tokenizer.from_tiktoken(path, {"    ": 264, "  ": 266}, pattern="gpt2")
    assert tokenizer.special_tokens == {"    ": 264, "  ": 266}
    assert tokenizer.encode("    a  ") == [264, 97, 266]
    assert tokenizer.encode("      ", special="text") == [257, 256]
    tokenizer.save(tmp_path / "saved")
    assert Tokenizer.load(tmp_path / "saved") == tokenizer


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("post_processor", {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": False}]}),
        ("post_processor", {"type": "Sequence", "processors": []}),
        ("normalizer", {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}]}),
        (
            "pre_tokenizer",
            {
                "type": "Sequence",
                "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}],
            },
        ),
    ],
)
def test_a_sequence_that_means_nothing_is_read(key, value, tmp_path):
    """Oracle: the tokenizer without it."""
    make().save(tmp_path)
    edit(tmp_path / "tokenizer.json", lambda values: values.update({key: value}))
    assert Tokenizer.load(tmp_path) == make()


def test_overlapping_added_tokens_are_found_as_in_two_searches_or_refused(tmp_path):
    """Derived by hand: <x> is cut out before <x>y is looked for; of bc and ab in abc the order decides."""
    make([END, "<x>", "<x>y"]).save(tmp_path)
    edit(tmp_path / "tokenizer.json", lambda v: v["added_tokens"][2].update(normalized=True))
    ids = Tokenizer.load(tmp_path).encode("<x>y")
    assert ids[0] == 1
    assert ids[1:] == make().encode("y") or len(ids) == 2
    make([END, "bc", "ab"]).save(tmp_path)
    edit(tmp_path / "tokenizer.json", lambda v: v["added_tokens"][2].update(normalized=True))
    with refuses(TokenizerError, tmp_path / "tokenizer.json", "'ab'", "'bc'"):
        Tokenizer.load(tmp_path)
