"""Reading token data sets, whole and damaged."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from homespun.data import DataConfig, TokenDataset
from homespun.data.shard import npy_header
from homespun.errors import ConfigError, DataError, MissingFileError
from refusals import refuses

TEXT = "the cat<|endoftext|>in the end<|endoftext|>" * 5


@pytest.fixture
def dataset(make_dataset) -> TokenDataset:
    return make_dataset(TEXT, shard_bytes=40)


@pytest.fixture
def ids(dataset, tmp_path) -> np.ndarray:
    """Oracle: the shards as NumPy loads them, joined."""
    return np.concatenate([np.load(path) for path in sorted(dataset.path.glob("shard-*.npy"))])


def test_every_slice_is_that_of_the_joined_shards(dataset, ids):
    lengths = [shard.num_tokens for shard in dataset.manifest.shards]
    assert len(dataset) == len(ids) == sum(lengths)
    assert len(set(lengths)) > 2  # of unequal length
    for start in range(-20, len(ids) + 3, 3):
        for stop in (0, 5, 16, 17, 40, len(ids), len(ids) + 9, -1):
            np.testing.assert_array_equal(dataset[start:stop], ids[start:stop])
    assert [dataset[position] for position in range(-len(ids), len(ids))] == [*ids.tolist(), *ids.tolist()]


def test_positions_outside_are_refused(dataset):
    for position in (len(dataset), -len(dataset) - 1):
        with refuses(IndexError, position, f"{len(dataset):,} tokens"):
            dataset[position]
    with refuses(IndexError, 2):
        dataset[::2]


def test_slices_cannot_be_written_to(dataset):
    with pytest.raises(ValueError, match="read-only"):
        dataset[0:4][0] = 1


def test_it_travels_by_pickle_without_its_tokens(dataset, ids):
    dataset[:]
    pickled = pickle.dumps(dataset)
    assert ids.tobytes()[:64] not in pickled
    np.testing.assert_array_equal(pickle.loads(pickled)[:], ids)


def test_bytes_of_ids_are_those_of_their_text(dataset, tokenizer):
    """Oracle: the tokenizer's decoding."""
    for start, stop in ((0, 10), (5, 40), (0, len(dataset))):
        assert dataset.count_bytes(dataset[start:stop]) == len(tokenizer.decode_bytes(dataset[start:stop].tolist()))
    assert dataset.count_bytes(dataset[:]) == dataset.num_bytes == len(TEXT)


def test_headers_are_those_that_numpy_reads(tmp_path):
    """Oracle: np.load, for lengths that take the header's text from its shortest to its longest."""
    for num_items in (0, 1, 10**6):
        path = tmp_path / "array.npy"
        path.write_bytes(npy_header(np.dtype("<u2"), num_items) + bytes(2 * num_items))
        assert np.load(path, mmap_mode="r" if num_items else None).shape == (num_items,)
    assert len(npy_header(np.dtype("<u4"), 10**15)) == 128


def damage(dataset: TokenDataset, name: str, change) -> None:
    path = dataset.path / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda data: data[:-1], ["truncated"]),
        (lambda data: b"", ["truncated", "0 bytes"]),
        (lambda data: data + b"\0", ["too long"]),
        (lambda data: data.replace(b"<u2", b"<i2"), ["header", "uint16"]),
    ],
)
def test_damaged_shards_are_refused_when_opened(dataset, change, facts):
    damage(dataset, "shard-00001.npy", change)
    with refuses(DataError, dataset.path / "shard-00001.npy", *facts):
        TokenDataset.open(dataset.path)


@pytest.mark.parametrize("name", ["shard-00002.npy", "token-bytes.npy", "manifest.json"])
def test_missing_files_are_refused_when_opened(dataset, name):
    (dataset.path / name).unlink()
    with refuses(MissingFileError, name):
        TokenDataset.open(dataset.path)


@pytest.mark.parametrize("name", ["shard-00001.npy", "token-bytes.npy"])
def test_altered_bytes_are_found_by_verify(dataset, name):
    damage(dataset, name, lambda data: data[:-2] + b"\x07\x07")
    opened = TokenDataset.open(dataset.path)
    for check in (opened.verify, opened.verify_once):
        with refuses(DataError, dataset.path / name, "altered"):
            check()


@pytest.mark.parametrize("bit", range(8))
def test_a_bit_flipped_anywhere_in_the_manifest_is_found_when_opened(dataset, bit):
    """Every 37th byte; where the JSON says the same with another bit (white space), nothing is lost."""
    original = (dataset.path / "manifest.json").read_bytes()
    for position in range(bit, len(original), 37):
        flipped = bytearray(original)
        flipped[position] ^= 1 << bit
        (dataset.path / "manifest.json").write_bytes(flipped)
        try:
            same = json.loads(bytes(flipped).decode()) == json.loads(original)
        except ValueError:
            same = False
        if not same:
            with pytest.raises(DataError):
                TokenDataset.open(dataset.path)


def test_a_data_set_is_verified_once(dataset, tmp_path):
    """Until a file has another size, time or inode: a copy and a file written to are verified again."""
    assert [dataset.verify_once(), dataset.verify_once(), TokenDataset.open(dataset.path).verify_once()] == [
        True,
        False,
        False,
    ]
    copied = TokenDataset.open(shutil.copytree(dataset.path, tmp_path / "copy"))
    assert [copied.verify_once(), copied.verify_once()] == [True, False]
    shard = dataset.path / "shard-00000.npy"
    damage(dataset, shard.name, lambda data: data[:-2] + b"\x07\x07")
    os.utime(shard, ns=(0, 1))
    with refuses(DataError, shard, "altered"):
        TokenDataset.open(dataset.path).verify_once()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}"])
def test_a_damaged_note_of_verification_is_ignored(dataset, content):
    (dataset.path / ".verified.json").write_bytes(content)
    assert dataset.verify_once()


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda m: m.update(num_tokens=m["num_tokens"] + 1), ["num_tokens"]),
        (lambda m: m.update(num_bytes=3), ["num_bytes", 3]),
        (lambda m: m.update(version=2), ["version 2", "expected 3"]),
        (lambda m: m.update(extra=1), ["extra"]),
        (lambda m: m.pop("entropy"), ["entropy"]),
        (lambda m: m["origin"].update(vocab_size="many"), ["vocab_size", "'many'"]),
        (lambda m: m["origin"].update(separator_id=999), ["999"]),
        (lambda m: m["origin"].update(separator="<|end|>"), ["sha256"]),
        (lambda m: m["shards"][0].update(num_tokens=True), ["shards", "[0]", "num_tokens", True]),
        (lambda m: m["shards"][1].update(sha256=None), ["shards", "[1]", "sha256", None]),
        (lambda m: m.update(shards=[], num_tokens=0, num_bytes=0, num_separators=0), ["no shard"]),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(dataset, change, facts):
    path = dataset.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with refuses(DataError, path, *facts):
        TokenDataset.open(dataset.path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\udcff"])
def test_files_that_are_not_manifests_are_refused(dataset, content):
    (dataset.path / "manifest.json").write_bytes(content.encode(errors="surrogateescape"))
    with refuses(DataError, dataset.path / "manifest.json"):
        TokenDataset.open(dataset.path)


def test_a_directory_without_a_data_set_says_how_to_make_one(tmp_path: Path):
    for directory in (tmp_path, tmp_path / "absent"):
        with refuses(MissingFileError, directory, "homespun prepare", "homespun corpus encode"):
            TokenDataset.open(directory)


def test_a_data_set_can_be_moved(dataset, ids, tmp_path):
    shutil.move(dataset.path, tmp_path / "elsewhere")
    np.testing.assert_array_equal(TokenDataset.open(str(tmp_path / "elsewhere"))[:], ids)


def test_it_refuses_other_tokenizers_and_smaller_models(dataset, tokenizer):
    dataset.check_tokenizer(tokenizer.fingerprint)
    dataset.check_vocab_size(tokenizer.vocab_size)
    with refuses(DataError, dataset.path, tokenizer.fingerprint[:12], "0" * 12):
        dataset.check_tokenizer("0" * 64)
    with refuses(DataError, dataset.path, "model.vocab_size", 261):
        dataset.check_vocab_size(260)


def test_data_config_requires_three_directories():
    with refuses(ConfigError, "data.train = a", "data.tokenizer = a"):
        DataConfig(train="a", valid="b", tokenizer="a")
    with refuses(ConfigError, "data.valid"):
        DataConfig(train="a", valid="", tokenizer="b")
