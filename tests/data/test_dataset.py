"""Reading token data sets, whole and damaged."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from homespun.data import DataConfig, TokenDataset
from homespun.data.shards import npy_header
from homespun.errors import ConfigError, DataError, MissingFileError

TEXT = "the cat<|endoftext|>in the end<|endoftext|>" * 5


@pytest.fixture
def dataset(make_dataset) -> TokenDataset:
    return make_dataset(TEXT, shard_tokens=16)


@pytest.fixture
def ids(dataset, tmp_path) -> np.ndarray:
    """Oracle: the shards as NumPy loads them, joined."""
    return np.concatenate([np.load(path) for path in sorted(dataset.path.glob("shard-*.npy"))])


def test_every_slice_is_that_of_the_joined_shards(dataset, ids):
    assert len(dataset) == len(ids) > 3 * 16
    for start in range(-20, len(ids) + 3, 3):
        for stop in (0, 5, 16, 17, 40, len(ids), len(ids) + 9, -1):
            np.testing.assert_array_equal(dataset[start:stop], ids[start:stop])
    assert [dataset[position] for position in range(-len(ids), len(ids))] == [*ids.tolist(), *ids.tolist()]


def test_what_is_no_place_in_it_is_refused(dataset):
    for position in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match="of a data set of"):
            dataset[position]
    with pytest.raises(IndexError, match="steps of 1"):
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
    ("change", "message"),
    [
        (lambda data: data[:-1], r"shard-00001\.npy: the shard is truncated: 159 bytes, expected 160 for 16 tokens"),
        (lambda data: b"", r"the shard is truncated: 0 bytes"),
        (lambda data: data + b"\0", "the shard is too long"),
        (lambda data: data.replace(b"<u2", b"<i2"), "the header is not that of 16 ids of uint16"),
    ],
)
def test_damaged_shards_are_refused_when_opened(dataset, change, message):
    damage(dataset, "shard-00001.npy", change)
    with pytest.raises(DataError, match=message) as caught:
        TokenDataset.open(dataset.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["shard-00002.npy", "token-bytes.npy", "manifest.json"])
def test_missing_files_are_refused_when_opened(dataset, name):
    (dataset.path / name).unlink()
    with pytest.raises(MissingFileError, match=name.replace(".", r"\.")):
        TokenDataset.open(dataset.path)


@pytest.mark.parametrize("name", ["shard-00001.npy", "token-bytes.npy"])
def test_altered_bytes_are_found_by_verify(dataset, name):
    damage(dataset, name, lambda data: data[:-2] + b"\x07\x07")
    opened = TokenDataset.open(dataset.path)
    with pytest.raises(DataError, match=f"{name}: altered"):
        opened.verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(num_tokens=m["num_tokens"] + 1), "num_tokens is"),
        (lambda m: m.update(num_bytes=3), "num_bytes is 3, but the shards have"),
        (lambda m: m.update(version=3), "version 3, expected 2"),
        (lambda m: m.update(extra=1), "expected the keys version, origin"),
        (lambda m: m.pop("entropy"), "expected the keys"),
        (lambda m: m["origin"].update(vocab_size="many"), "origin: vocab_size: 'many' is not what is expected"),
        (lambda m: m["origin"].update(separator_id=999), "separator's id 999 is outside the vocabulary"),
        (lambda m: m["shards"][0].update(num_tokens=True), r"shards: \[0\] num_tokens: True is not"),
        (lambda m: m["shards"][1].update(sha256=None), r"shards: \[1\] sha256: None is not"),
        (lambda m: m.update(shards=[], num_tokens=0, num_bytes=0, num_separators=0), "every shard but the last"),
        (lambda m: m["origin"].update(shard_tokens=17), "every shard but the last must hold 17 tokens"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(dataset, change, message):
    path = dataset.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        TokenDataset.open(dataset.path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\udcff"])
def test_a_manifest_that_is_none_is_refused(dataset, content):
    (dataset.path / "manifest.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"manifest\.json: (not valid JSON|version None)"):
        TokenDataset.open(dataset.path)


def test_a_directory_without_a_data_set_says_how_to_make_one(tmp_path: Path):
    for directory in (tmp_path, tmp_path / "absent"):
        with pytest.raises(MissingFileError, match=r"not a finished token data set .*homespun prepare"):
            TokenDataset.open(directory)


def test_a_data_set_can_be_moved(dataset, ids, tmp_path):
    shutil.move(dataset.path, tmp_path / "elsewhere")
    np.testing.assert_array_equal(TokenDataset.open(str(tmp_path / "elsewhere"))[:], ids)


def test_it_refuses_other_tokenizers_and_smaller_models(dataset, tokenizer):
    dataset.check_tokenizer(tokenizer.fingerprint)
    dataset.check_vocab_size(tokenizer.vocab_size)
    with pytest.raises(DataError, match="made with the tokenizer"):
        dataset.check_tokenizer("0" * 64)
    with pytest.raises(DataError, match=r"token ids go up to 260, outside the model's vocabulary of 260"):
        dataset.check_vocab_size(260)


def test_data_config_wants_three_directories():
    with pytest.raises(ConfigError, match="three different directories"):
        DataConfig(train="a", valid="b", tokenizer="a")
    with pytest.raises(ConfigError, match=r"data\.valid is empty"):
        DataConfig(train="a", valid="", tokenizer="b")
