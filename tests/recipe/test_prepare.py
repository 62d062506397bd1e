import gzip
import json

import numpy as np
import pytest
import yaml

from homespun.errors import ConfigError, DataError, MissingFileError
from homespun.recipe.load import load_recipe
from homespun.recipe.prepare import prepare
from refusals import refuses

TEXT = "A cat sat.<|endoftext|>A hen ran to the cat.<|endoftext|>" * 20


@pytest.fixture
def config(tmp_path):
    def load(corpus="files", **overrides):
        recipe = {
            "name": "tiny",
            "source": {
                "corpus": corpus, "train": str(tmp_path / "train.txt"), "valid": str(tmp_path / "valid.txt"),
                "num_train_stories": 12, "num_valid_stories": 3,
            },
            "tokenizer": {"vocab_size": 270},
            "data": {name: str(tmp_path / name) for name in ("tokenizer", "train", "valid")},
            "model": {
                "vocab_size": 270, "context_length": 16, "d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 32,
            },
            "training": {"num_steps": 1, "batch_size": 1},
            "execution": {"micro_batch": 1},
        }  # fmt: skip
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(recipe))
        return load_recipe(path, [f"--{key}={value}" for key, value in overrides.items()])

    return load


def kept_or_made(config):
    told = []
    prepare(config, on_message=told.append)
    return [line.split()[0] for line in told]


def test_storybook_is_written_with_its_entropy(config, tmp_path):
    """Oracle: the sidecar that the storybook writes beside its text."""
    assert kept_or_made(config("storybook")) == ["made"] * 5
    bits = json.loads((tmp_path / "valid.txt.entropy.json").read_text())
    assert json.loads((tmp_path / "valid" / "manifest.json").read_text())["entropy"] == bits
    assert (tmp_path / "train.txt").read_bytes()[:200] != (tmp_path / "valid.txt").read_bytes()[:200]
    assert kept_or_made(config("storybook")) == ["kept"] * 3


def test_storybook_of_another_length_is_refused(config):
    prepare(config("storybook"))
    with refuses(DataError, "train.txt", "12 stories", "source.num_train_stories = 13"):
        prepare(config("storybook", **{"source.num_train_stories": 13}))


def test_text_that_is_no_storybook_is_refused(config, tmp_path):
    (tmp_path / "train.txt").write_text(TEXT)
    with refuses(DataError, "train.txt", "unknown entropy"):
        prepare(config("storybook"))


@pytest.mark.parametrize("corpus", ["files", "tinystories"])
def test_missing_text_is_named_and_not_downloaded_under_another_name(config, corpus):
    with refuses(MissingFileError, "train.txt", "--source.train"):
        prepare(config(corpus))


def test_compressed_and_json_texts_give_the_same_tokenizer(config, tmp_path):
    """Oracle: the plain text of the same documents."""
    for part in ("train", "valid"):
        (tmp_path / f"{part}.txt").write_text(TEXT)
        (tmp_path / f"{part}.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
        lines = [json.dumps({"text": document}) for document in TEXT.split("<|endoftext|>")[:-1]]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    prepare(config())
    expected = (tmp_path / "tokenizer" / "tokenizer.json").read_bytes()
    for suffix in ("txt.gz", "jsonl"):
        places = {f"data.{name}": tmp_path / suffix / name for name in ("tokenizer", "train", "valid")}
        texts = {f"source.{part}": tmp_path / f"{part}.{suffix}" for part in ("train", "valid")}
        prepare(config(**places, **texts))
        assert (tmp_path / suffix / "tokenizer" / "tokenizer.json").read_bytes() == expected
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"tokenizer.vocab_size": 260}, ["tokenizer.vocab_size = 260", "269"]),
        ({"tokenizer.pattern": "gpt4"}, ["tokenizer.pattern"]),
        ({"tokenizer.special_tokens": "['<|endoftext|>', '<|pad|>']"}, ["tokenizer.special_tokens", "<|pad|>"]),
    ],
)
def test_a_tokenizer_that_is_not_the_recipes_is_refused(config, tmp_path, changes, facts):
    """Oracle: the recipe that made it; a directory that exists is not thereby the one asked for."""
    for split in ("train", "valid"):
        (tmp_path / f"{split}.txt").write_text(TEXT)
    prepare(config())
    with refuses(ConfigError, tmp_path / "tokenizer", *facts):
        prepare(config(**changes))


@pytest.mark.parametrize("header", ["#version: 0.2 - {} merges, by homespun with tokenizer.json", "#version: 0.2"])
@pytest.mark.parametrize("lost", [["tokenizer.json"], ["tokenizer.json", "merges.txt", "tokenizer_config.json"]])
def test_an_incomplete_tokenizer_is_made_again(config, tmp_path, header, lost):
    """Oracle: the tokenizer that was there.

    vocab.json and merges.txt, as a full disk or a kill left them, say nothing of the pattern: loaded with GPT-2's they
    give other ids. The second header is GPT-2's own, and that of older versions.
    """
    for split in ("train", "valid"):
        (tmp_path / f"{split}.txt").write_text(TEXT)
    recipe = config(**{"tokenizer.pattern": "gpt4"})
    prepare(recipe)
    tokenizer = tmp_path / "tokenizer"
    expected = {path.name: path.read_bytes() for path in tokenizer.iterdir()}
    merges = expected["merges.txt"].decode().splitlines()[1:]
    (tokenizer / "merges.txt").write_text("\n".join([header.format(len(merges)), *merges]) + "\n")
    for name in lost:
        (tokenizer / name).unlink()
    (tokenizer / ".merges.txt.0123456789ab.tmp").write_text("#vers")
    messages = []
    prepare(recipe, on_message=messages.append)
    assert [message.split()[0] for message in messages] == ["made", "kept", "kept"]
    assert "tokenizer.json was missing" in messages[0]
    assert {path.name: path.read_bytes() for path in tokenizer.iterdir()} == expected


def test_files_that_are_not_left_by_an_interruption_are_not_replaced(config, tmp_path):
    """Oracle: the bytes that were there: another tokenizer's GPT-2 files, and a directory with a file of its own."""
    for split in ("train", "valid"):
        (tmp_path / f"{split}.txt").write_text(TEXT)
    prepare(config())
    tokenizer = tmp_path / "tokenizer"
    (tokenizer / "tokenizer.json").unlink()
    merges = (tokenizer / "merges.txt").read_bytes()
    (tokenizer / "notes.txt").write_text("mine")
    with refuses(MissingFileError, tokenizer, "tokenizer.json"):
        prepare(config())
    (tokenizer / "notes.txt").unlink()
    (tokenizer / "merges.txt").write_bytes(b"#version: 0.2\n" + merges.partition(b"\n")[2])
    vocab = tokenizer / "vocab.json"
    vocab.write_text(json.dumps(json.loads(vocab.read_text())))
    with refuses(ConfigError, tokenizer, "tokenizer.vocab_size = 265"):
        prepare(config(**{"tokenizer.vocab_size": 265}))
    assert (tokenizer / "merges.txt").read_bytes().partition(b"\n")[2] == merges.partition(b"\n")[2]
    assert not (tokenizer / "tokenizer.json").exists()


def test_a_separator_that_is_no_special_token_is_refused(config):
    with refuses(ConfigError, "source.separator = '<|eot|>'", "tokenizer.special_tokens"):
        config(**{"source.separator": "<|eot|>"})


def test_text_changed_since_it_was_encoded_is_refused(config, tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.txt").write_text(TEXT)
    prepare(config())
    (tmp_path / "valid.txt").write_text(TEXT + "More.")
    with refuses(DataError, tmp_path / "valid"):
        prepare(config())


def test_a_pattern_names_many_files(config, tmp_path):
    """Oracle: the same documents in one file."""
    documents = TEXT.split("<|endoftext|>")[:-1]
    for number in range(4):
        half = "<|endoftext|>".join(documents[number * 10 : number * 10 + 10])
        (tmp_path / f"part-{number}.txt").write_text(half)
    (tmp_path / "train.txt").write_text("<|endoftext|>".join(documents))
    (tmp_path / "valid.txt").write_text(TEXT)
    prepare(config())
    expected = (tmp_path / "tokenizer" / "tokenizer.json").read_bytes()
    tokens = np.load(tmp_path / "train" / "shard-00000.npy")
    places = {f"data.{name}": tmp_path / "parts" / name for name in ("tokenizer", "train", "valid")}
    prepare(config(**places, **{"source.train": tmp_path / "part-*.txt"}))
    assert (tmp_path / "parts" / "tokenizer" / "tokenizer.json").read_bytes() == expected
    assert np.array_equal(np.load(tmp_path / "parts" / "train" / "shard-00000.npy"), tokens)
    assert not list((tmp_path / "parts").glob(".*.txt"))
