"""Text files to token data sets."""

import errno
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from homespun.data import TokenDataset, encode, encode_corpus, encode_to_memory, range_encoder
from homespun.data.shard import ShardWriter
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, DataError, MissingFileError, StorageError
from homespun.tokenizer import Tokenizer
from refusals import refuses

SEPARATOR = "<|endoftext|>"
TEXT = f"the cat{SEPARATOR}\nthe <|other|> caf\u00e9 {SEPARATOR}{SEPARATOR}" + "in the end, the the end. " * 12


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def set_sizes(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    """How much text is encoded at a time."""
    monkeypatch.setattr(range_encoder, "CHUNK_BYTES", num_bytes)
    monkeypatch.setattr(range_encoder, "BATCH_BYTES", num_bytes)


def expected_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Oracle: documents encoded one by one as ordinary text, the separator's id between them."""
    first, *others = (tokenizer.encode(document, "text") for document in text.split(SEPARATOR))
    return [*first, *(id_ for ids in others for id_ in (tokenizer.special_tokens[SEPARATOR], *ids))]


@pytest.mark.parametrize("shard_bytes", [7, 100, 1 << 20])
def test_text_becomes_its_ids_in_shards(tokenizer, tmp_path, make_dataset, shard_bytes):
    """Oracle: `expected_ids`, and the text's own bytes for the counts; each shard loads with np.load."""
    dataset = make_dataset(TEXT, shard_bytes=shard_bytes)
    ids = expected_ids(tokenizer, TEXT)
    assert dataset[:].tolist() == ids
    assert tokenizer.special_tokens["<|other|>"] not in ids
    shards = [np.load(path, mmap_mode="r") for path in sorted((tmp_path / "tokens").glob("shard-*.npy"))]
    assert np.concatenate(shards).tolist() == ids
    assert len(shards) == 1 if shard_bytes > len(TEXT) else len(shards) > 3
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
    dataset = encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "tokens", shard_bytes=4000)
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
def test_no_document_continues_in_the_next_file(tokenizer, tmp_path, monkeypatch, batch_bytes):
    """By hand: a separator is added after the first file, none after the second, which has one, and none at the end."""
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
        encode_corpus(tokenizer, path, out, shard_bytes=70, num_threads=num_threads)
        made.append(files_in(out))
    assert made[0] == made[1] == made[2]
    assert {name for name in made[0] if not name.startswith("shard-")} == {"manifest.json", "token-bytes.npy"}


@pytest.mark.parametrize(("largest_id", "dtype"), [(65_535, "uint16"), (65_536, "uint32")])
def test_ids_above_65535_take_four_bytes(tokenizer, tmp_path, largest_id, dtype):
    vocab = {id_: token for id_, token in tokenizer.vocab.items() if token != b" the"} | {largest_id: b" the"}
    wide = Tokenizer(vocab, tokenizer.merges, list(tokenizer.special_tokens))
    (tmp_path / "corpus.txt").write_text("in the end")
    dataset = encode_corpus(wide, tmp_path / "corpus.txt", tmp_path / "tokens")
    assert dataset[:].dtype == np.dtype(dtype)
    assert dataset[2] == largest_id


@pytest.mark.parametrize("num_threads", [1, 2])
def test_ids_in_memory_are_those_of_the_data_set(tokenizer, tmp_path, monkeypatch, num_threads):
    """Oracle: `encode_corpus` on the same files, plain and not; in memory a few bytes at a time."""
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    inputs = [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    expected = encode_corpus(tokenizer, inputs, tmp_path / "tokens")[:]
    set_sizes(monkeypatch, 10)
    ids = encode_to_memory(tokenizer, inputs, num_threads=num_threads)
    assert ids.tolist() == expected.tolist()
    assert ids.dtype == expected.dtype


def test_bad_input_is_refused_in_memory_too(tokenizer, tmp_path):
    with refuses(ConfigError, "<|none|>"):
        encode_to_memory(tokenizer, tmp_path / "a.txt", separator="<|none|>")
    (tmp_path / "a.txt").write_bytes(b"the \xff")
    with refuses(DataError, tmp_path / "a.txt", "byte 4"):
        encode_to_memory(tokenizer, tmp_path / "a.txt")


class Killed(BaseException):
    """An exception that nothing catches, like a kill."""


def encode_and_kill(num_shards: int, *arguments, **settings) -> None:
    """Encode until so many shards are finished and the next one is about to take its name."""
    write_record, num_written = encode.write_record, 0

    def killed_write(path: Path, record: object) -> None:
        nonlocal num_written
        write_record(path, record)
        num_written += 1
        if num_written > num_shards:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encode, "write_record", killed_write)
        with pytest.raises(Killed):
            encode_corpus(*arguments, **settings)


@pytest.mark.parametrize("batch_bytes", [1, 60, 1 << 20])
@pytest.mark.parametrize("num_shards", [1, 2, 5])
def test_an_interrupted_encoding_is_resumed_and_ends_in_the_same_bytes(
    tokenizer, tmp_path, monkeypatch, batch_bytes, num_shards
):
    """Oracle: an uninterrupted call."""
    set_sizes(monkeypatch, batch_bytes)
    paths = [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    paths[0].write_text(TEXT, encoding="utf-8")
    paths[1].write_text("".join(json.dumps({"text": f"the end {n}"}) + "\n" for n in range(20)))
    encode_corpus(tokenizer, paths, tmp_path / "whole", shard_bytes=70)
    out = tmp_path / "tokens"
    encode_and_kill(num_shards, tokenizer, paths, out, shard_bytes=70)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.npy")}
    assert len(kept) == num_shards
    with refuses(MissingFileError, out, "interrupted"):
        TokenDataset.open(out)
    (out / ".shard-00001.npy.0123456789ab.tmp").write_bytes(b"left by a kill")
    encode_corpus(tokenizer, paths, out, shard_bytes=70)
    assert files_in(out) == files_in(tmp_path / "whole")
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept


@pytest.fixture
def interrupted(tokenizer, tmp_path) -> tuple[Path, Path]:
    """An input and the directory of its encoding, with one finished shard."""
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_text(TEXT, encoding="utf-8")
    encode_and_kill(1, tokenizer, path, out, shard_bytes=70)
    return path, out


def test_another_tokenizer_or_setting_is_refused(tokenizer, interrupted):
    path, out = interrupted
    other = Tokenizer(tokenizer.vocab, tokenizer.merges[:-1], list(tokenizer.special_tokens))
    for _ in range(2):
        with refuses(DataError, out, "tokenizer_fingerprint", tokenizer.fingerprint, other.fingerprint):
            encode_corpus(other, path, out, shard_bytes=70)
        with refuses(DataError, out, "shard_bytes 70, not 71"):
            encode_corpus(tokenizer, path, out, shard_bytes=71)
        # Finished, it is refused for the same reasons.
        encode_corpus(tokenizer, path, out, shard_bytes=70)


def test_a_changed_input_is_refused(tokenizer, interrupted):
    path, out = interrupted
    os.utime(path, ns=(0, 0))
    with refuses(DataError, out, "changed"):
        encode_corpus(tokenizer, path, out, shard_bytes=70)
    path.write_text(TEXT.replace("cat", "dog"), encoding="utf-8")
    with refuses(DataError, out, "inputs"):
        encode_corpus(tokenizer, path, out, shard_bytes=70)


def test_an_altered_shard_is_refused(tokenizer, interrupted):
    path, out = interrupted
    shard = out / "shard-00000.npy"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x07")
    with refuses(DataError, shard, "altered"):
        encode_corpus(tokenizer, path, out, shard_bytes=70)


def test_another_data_set_is_replaced_only_when_asked(tokenizer, tmp_path, interrupted):
    """Oracle: a fresh directory; finished, unfinished, and of an older version."""
    path, out = interrupted
    other = tmp_path / "other.txt"
    other.write_text("in the end")
    whole = files_in(encode_corpus(tokenizer, other, tmp_path / "whole").path)
    encode_corpus(tokenizer, other, out, overwrite=True)
    assert files_in(out) == whole
    before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    encode_corpus(tokenizer, other, out, overwrite=True)  # the same data set is kept
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before
    encode_corpus(tokenizer, path, out, shard_bytes=70, overwrite=True).verify()
    (out / "manifest.json").write_text('{"version": 2}')
    with refuses(DataError, out / "manifest.json", "version 2"):
        encode_corpus(tokenizer, other, out)
    encode_corpus(tokenizer, other, out, overwrite=True)
    assert files_in(out) == whole


@pytest.mark.parametrize("name", ["shard-00000.npy", "token-bytes.npy"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_unknown_origin_are_left_alone(tokenizer, tmp_path, name, overwrite):
    (tmp_path / "corpus.txt").write_text("text")
    (tmp_path / name).write_bytes(b"somebody's")
    with refuses(DataError, tmp_path / name):
        encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path, overwrite=overwrite)
    assert (tmp_path / name).read_bytes() == b"somebody's"


def test_a_finished_set_is_returned_as_it_is(tokenizer, tmp_path, make_dataset):
    make_dataset(TEXT)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tokens").iterdir()}
    encode_corpus(tokenizer, tmp_path / "corpus.txt", tmp_path / "tokens")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "tokens").iterdir()}


def test_bad_input_leaves_nothing_behind(tokenizer, tmp_path):
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_bytes(b"fine \xff")
    with refuses(DataError, path, "byte 5"):
        encode_corpus(tokenizer, path, out)
    assert not out.exists()
    path.write_bytes(b"")
    with refuses(DataError, path, "empty"):
        encode_corpus(tokenizer, path, out)
    with refuses(MissingFileError, tmp_path / "absent.txt"):
        encode_corpus(tokenizer, tmp_path / "absent.txt", out)
    with refuses(ConfigError, "input files"):
        encode_corpus(tokenizer, [], out)
    path.write_bytes(b"fine")
    with refuses(ConfigError, "'<|end|>'", "<|endoftext|>, <|other|>"):
        encode_corpus(tokenizer, path, out, separator="<|end|>")
    assert not out.exists()


@pytest.mark.parametrize("num_shards", [0, 2])
def test_a_full_disk_keeps_the_finished_shards(tokenizer, tmp_path, monkeypatch, num_shards):
    """The disk is full when the next shard is written; oracle: an uninterrupted call, once there is room."""
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_text(TEXT, encoding="utf-8")
    append = ShardWriter.append

    def full_append(writer: ShardWriter, *arguments) -> None:
        if len(list(out.glob("shard-*.npy"))) == num_shards:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(writer, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(ShardWriter, "append", full_append)
        with refuses(StorageError, out / f"shard-{num_shards:05d}.npy", "the disk is full"):
            encode_corpus(tokenizer, path, out, shard_bytes=70)
    kept = [f"shard-{index:05d}.{ending}" for index in range(num_shards) for ending in ("json", "npy")]
    assert sorted(files_in(out) if out.exists() else []) == kept
    encode_corpus(tokenizer, path, out, shard_bytes=70)
    encode_corpus(tokenizer, path, tmp_path / "whole", shard_bytes=70)
    assert files_in(out) == files_in(tmp_path / "whole")


def test_text_that_a_pattern_does_not_match_is_encoded(tokenizer, tmp_path):
    """Oracle: identity; what lies between the matches of a custom pattern is a pre-token too."""
    letters = Tokenizer(tokenizer.vocab, tokenizer.merges, list(tokenizer.special_tokens), pattern=r"\p{L}+")
    (tmp_path / "corpus.txt").write_text("the end", encoding="utf-8")
    encode_corpus(letters, tmp_path / "corpus.txt", tmp_path / "tokens")
    dataset = TokenDataset.open(tmp_path / "tokens")
    assert letters.decode(dataset[: len(dataset)]) == "the end"


def test_entropy_is_stored_and_must_be_that_of_the_text(tokenizer, tmp_path, make_dataset):
    text = f"the end\n{SEPARATOR}the cat\n{SEPARATOR}"
    entropy = CorpusEntropy(bits=12.5, num_bytes=len(text), num_documents=2)
    assert make_dataset(text, entropy=entropy).entropy == entropy
    assert TokenDataset.open(tmp_path / "tokens").entropy == entropy
    wrong = CorpusEntropy(bits=12.5, num_bytes=len(text), num_documents=3)
    with refuses(DataError, tmp_path / "again", "3 documents"):
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
