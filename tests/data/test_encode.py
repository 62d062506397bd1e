"""Text files to token data sets."""

import errno
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from homespun.data import TokenDataset, encode, encode_corpus, shard_file, writer
from homespun.data.manifest import Progress
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, DataError, MissingFileError, StorageError
from homespun.tokenizer import Tokenizer

SEPARATOR = "<|endoftext|>"
TEXT = f"the cat{SEPARATOR}\nthe <|other|> caf\u00e9 {SEPARATOR}{SEPARATOR}" + "in the end, the the end. " * 12


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def set_sizes(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    """How much text is encoded at a time."""
    monkeypatch.setattr(encode, "CHUNK_BYTES", num_bytes)
    monkeypatch.setattr(encode, "BATCH_BYTES", num_bytes)


def expected_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Oracle: documents encoded one by one as ordinary text, the separator's id between them."""
    first, *others = (tokenizer.encode(document, "text") for document in text.split(SEPARATOR))
    return [*first, *(id_ for ids in others for id_ in (tokenizer.special_tokens[SEPARATOR], *ids))]


@pytest.mark.parametrize("shard_tokens", [7, 100, 1 << 20])
def test_text_becomes_its_ids_in_shards_of_equal_length(tokenizer, tmp_path, make_dataset, shard_tokens):
    """Oracle: `expected_ids`, and the text's own bytes for the counts; each shard loads with np.load."""
    dataset = make_dataset(TEXT, shard_tokens=shard_tokens)
    ids = expected_ids(tokenizer, TEXT)
    assert dataset[:].tolist() == ids
    assert tokenizer.special_tokens["<|other|>"] not in ids
    shards = [np.load(path, mmap_mode="r") for path in sorted((tmp_path / "tokens").glob("shard-*.npy"))]
    assert np.concatenate(shards).tolist() == ids
    assert all(len(shard) == shard_tokens for shard in shards[:-1])
    assert {shard.dtype for shard in shards} == {np.dtype("uint16")}
    assert (dataset.num_tokens, dataset.num_bytes) == (len(ids), len(TEXT.encode()))
    assert dataset.manifest.num_separators == 3
    assert [shard.num_bytes for shard in dataset.manifest.shards] == [
        len(tokenizer.decode_bytes(np.asarray(shard, np.uint32))) for shard in shards
    ]
    dataset.verify()


def test_ids_are_those_of_the_tokenizer_where_the_separator_is_its_only_special_token(shared_data, tmp_path):
    """Oracle: `Tokenizer.encode` of the whole file, on real stories with their real tokenizer."""
    tokenizer = Tokenizer.load(shared_data / "tinystories" / "tokenizer")
    text = (shared_data / "assignment" / "tinystories_sample.txt").read_text(encoding="utf-8")
    (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
    dataset = encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "tokens", shard_tokens=1000)
    assert dataset[:].tolist() == tokenizer.encode(text)


def test_json_lines_are_ordinary_text_with_a_separator_after_each(tokenizer, tmp_path):
    documents = ["the cat", f"user text with {SEPARATOR} in it", ""]
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps({"body": d}) + "\n" for d in documents).encode()))
    dataset = encode_corpus(tokenizer, path, tmp_path / "tokens", text_key="body")
    separator = tokenizer.special_tokens[SEPARATOR]
    assert dataset[:].tolist() == [id_ for d in documents for id_ in (*tokenizer.encode(d, "text"), separator)]
    assert dataset.num_bytes == sum(len(d) + len(SEPARATOR) for d in documents)


@pytest.mark.parametrize("batch_bytes", [3, 1 << 20])
def test_no_document_runs_from_one_file_into_the_next(tokenizer, tmp_path, monkeypatch, batch_bytes):
    """By hand: a separator is put after the first file, none after the second, which has one, and none at the end."""
    set_sizes(monkeypatch, batch_bytes)
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, text in zip(paths, ["in th", f"e end{SEPARATOR}", "the end"], strict=True):
        path.write_text(text)
    dataset = encode_corpus(tokenizer, paths, tmp_path / "tokens", num_threads=1)
    assert dataset[:].tolist() == expected_ids(tokenizer, SEPARATOR.join(["in th", "e end", "the end"]))


def test_bytes_on_disk_depend_neither_on_batches_nor_on_threads(tokenizer, tmp_path, monkeypatch):
    """The smallest batches make every document a long one, encoded as it is read."""
    path = tmp_path / "corpus.txt"
    path.write_text(TEXT, encoding="utf-8")
    made = []
    for number, (batch_bytes, num_threads) in enumerate([(1, 1), (50, 2), (1 << 20, 3)]):
        set_sizes(monkeypatch, batch_bytes)
        out = tmp_path / f"tokens-{number}"
        encode_corpus(tokenizer, path, out, shard_tokens=30, num_threads=num_threads)
        made.append(files_in(out))
    assert made[0] == made[1] == made[2]
    assert "progress.json" not in made[0]


@pytest.mark.parametrize(("largest_id", "dtype"), [(65_535, "uint16"), (65_536, "uint32")])
def test_ids_above_65535_take_four_bytes(tokenizer, tmp_path, largest_id, dtype):
    vocab = {id_: token for id_, token in tokenizer.vocab.items() if token != b" the"} | {largest_id: b" the"}
    wide = Tokenizer(vocab, tokenizer.merges, list(tokenizer.special_tokens))
    (tmp_path / "corpus.txt").write_text("in the end")
    dataset = encode_corpus(wide, tmp_path / "corpus.txt", tmp_path / "tokens")
    assert dataset[:].dtype == np.dtype(dtype)
    assert dataset[2] == largest_id


class Killed(BaseException):
    """What no one catches, like a kill."""


@pytest.mark.parametrize("batch_bytes", [1, 60, 1 << 20])
@pytest.mark.parametrize("num_writes", [1, 2, 5])
def test_an_interrupted_encoding_goes_on_and_ends_in_the_same_bytes(
    tokenizer, tmp_path, monkeypatch, batch_bytes, num_writes
):
    """Oracle: an uninterrupted call. Killed right after so many shards."""
    set_sizes(monkeypatch, batch_bytes)
    paths = [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    paths[0].write_text(TEXT, encoding="utf-8")
    paths[1].write_text("".join(json.dumps({"text": f"the end {n}"}) + "\n" for n in range(20)))
    encode_corpus(tokenizer, paths, tmp_path / "whole", shard_tokens=50)
    write_part = writer.write_part

    def killed_write(directory: Path, part: Progress) -> None:
        write_part(directory, part)
        if len(part.shards) == num_writes:
            raise Killed

    out = tmp_path / "tokens"
    with monkeypatch.context() as patched:
        patched.setattr(writer, "write_part", killed_write)
        with pytest.raises(Killed):
            encode_corpus(tokenizer, paths, out, shard_tokens=50)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.npy")}
    assert len(kept) == num_writes
    with pytest.raises(MissingFileError, match="interrupted; run the same command again"):
        TokenDataset.open(out)
    (out / ".shard-00001.npy.12345.tmp").write_bytes(b"left by a kill")
    encode_corpus(tokenizer, paths, out, shard_tokens=50)
    assert files_in(out) == files_in(tmp_path / "whole")
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept


def test_a_disk_that_is_full_at_once_is_left_as_it_was(tokenizer, tmp_path, monkeypatch):
    (tmp_path / "corpus.txt").write_text(TEXT, encoding="utf-8")

    def full_append(shard: shard_file.ShardFile, *arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shard_file.ShardFile, "append", full_append)
    with pytest.raises(StorageError, match=r"shard-00000\.npy: cannot write: the disk is full"):
        encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "tokens")
    assert not (tmp_path / "tokens").exists()


@pytest.fixture
def interrupted(tokenizer, tmp_path, monkeypatch) -> tuple[Path, Path]:
    """An input and the directory of its encoding, of which one shard stands."""
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_text(TEXT, encoding="utf-8")
    write_part = writer.write_part

    def killed_write(directory: Path, part: Progress) -> None:
        write_part(directory, part)
        if part.shards:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(writer, "write_part", killed_write)
        with pytest.raises(Killed):
            encode_corpus(tokenizer, path, out, shard_tokens=50)
    return path, out


def test_another_tokenizer_or_setting_is_refused(tokenizer, interrupted):
    path, out = interrupted
    other = Tokenizer(tokenizer.vocab, tokenizer.merges[:-1], list(tokenizer.special_tokens))
    with pytest.raises(DataError, match="was begun with tokenizer_fingerprint"):
        encode_corpus(other, path, out, shard_tokens=50)
    with pytest.raises(DataError, match="was begun with shard_tokens 50, not 51"):
        encode_corpus(tokenizer, path, out, shard_tokens=51)
    encode_corpus(tokenizer, path, out, shard_tokens=50)
    with pytest.raises(DataError, match="was made with tokenizer_fingerprint"):
        encode_corpus(other, path, out, shard_tokens=50)


def test_a_changed_input_is_refused(tokenizer, interrupted):
    path, out = interrupted
    os.utime(path, ns=(0, 0))
    with pytest.raises(DataError, match="written to after its encoding had begun"):
        encode_corpus(tokenizer, path, out, shard_tokens=50)
    path.write_text(TEXT.replace("cat", "dog"), encoding="utf-8")
    with pytest.raises(DataError, match="was begun with inputs"):
        encode_corpus(tokenizer, path, out, shard_tokens=50)


def test_an_altered_shard_is_refused(tokenizer, interrupted):
    path, out = interrupted
    shard = out / "shard-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError, match=r"shard-00000\.npy: altered"):
        encode_corpus(tokenizer, path, out, shard_tokens=50)


def test_a_finished_set_is_returned_as_it_is(tokenizer, tmp_path, make_dataset):
    make_dataset(TEXT)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tokens").iterdir()}
    encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "tokens")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "tokens").iterdir()}


def test_a_directory_with_shards_of_unknown_origin_is_left_alone(tokenizer, tmp_path):
    (tmp_path / "corpus.txt").write_text("text")
    (tmp_path / "shard-00000.npy").write_bytes(b"somebody's")
    with pytest.raises(DataError, match="in the way"):
        encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path)
    assert (tmp_path / "shard-00000.npy").read_bytes() == b"somebody's"


def test_bad_input_leaves_nothing_behind(tokenizer, tmp_path):
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_bytes(b"fine \xff")
    with pytest.raises(DataError, match=r"corpus\.txt: byte 5 is not valid UTF-8"):
        encode_corpus(tokenizer, path, out)
    assert not out.exists()
    path.write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        encode_corpus(tokenizer, path, out)
    with pytest.raises(MissingFileError, match="no such file"):
        encode_corpus(tokenizer, tmp_path / "absent.txt", out)
    with pytest.raises(ConfigError, match="no input files"):
        encode_corpus(tokenizer, [], out)
    path.write_bytes(b"fine")
    with pytest.raises(ConfigError, match=r"'<\|end\|>' is not a special token .*<\|endoftext\|>, <\|other\|>"):
        encode_corpus(tokenizer, path, out, separator="<|end|>")
    assert not out.exists()


def test_a_full_disk_keeps_the_finished_shards(tokenizer, tmp_path, monkeypatch):
    """The disk is full when the third shard is written; oracle: an uninterrupted call, once there is room."""
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_text(TEXT, encoding="utf-8")
    append = shard_file.ShardFile.append

    def full_append(shard: shard_file.ShardFile, *arguments: object) -> None:
        if shard._path.name == "shard-00002.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        append(shard, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(shard_file.ShardFile, "append", full_append)
        with pytest.raises(StorageError, match=r"shard-00002\.npy: cannot write: the disk is full"):
            encode_corpus(tokenizer, path, out, shard_tokens=50)
    assert sorted(files_in(out)) == ["progress.json", "shard-00000.npy", "shard-00001.npy", "token-bytes.npy"]
    encode_corpus(tokenizer, path, out, shard_tokens=50)
    encode_corpus(tokenizer, path, tmp_path / "whole", shard_tokens=50)
    assert files_in(out) == files_in(tmp_path / "whole")


def test_a_pattern_that_leaves_text_out_is_refused(tokenizer, tmp_path):
    """Bits per byte would count bytes that no token spells."""
    letters = Tokenizer(tokenizer.vocab, tokenizer.merges, list(tokenizer.special_tokens), pattern=r"\p{L}+")
    (tmp_path / "corpus.txt").write_text("the end", encoding="utf-8")
    with pytest.raises(DataError, match="leaves text out"):
        encode_corpus(letters, tmp_path / "corpus.txt", tmp_path / "tokens")


def test_entropy_is_carried_along_and_must_be_that_of_the_text(tokenizer, tmp_path, make_dataset):
    text = f"the end\n{SEPARATOR}the cat\n{SEPARATOR}"
    entropy = CorpusEntropy(bits=12.5, num_bytes=len(text), num_documents=2)
    assert make_dataset(text, entropy=entropy).entropy == entropy
    assert TokenDataset.open(tmp_path / "tokens").entropy == entropy
    wrong = CorpusEntropy(bits=12.5, num_bytes=len(text), num_documents=3)
    with pytest.raises(DataError, match="3 documents"):
        encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "again", entropy=wrong)


def test_progress_ends_at_the_bytes_of_all_inputs(tokenizer, tmp_path):
    calls = []
    paths = [tmp_path / "a.txt", tmp_path / "b.txt.gz"]
    paths[0].write_text(TEXT, encoding="utf-8")
    paths[1].write_bytes(gzip.compress(TEXT.encode()))
    encode_corpus(tokenizer, paths, tmp_path / "tokens", on_progress=lambda *call: calls.append(call))
    total = sum(path.stat().st_size for path in paths)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)
