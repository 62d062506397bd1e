"""Files of text to ids in memory."""

import json

import pytest

from homespun.data import encode_corpus, encode_to_memory, memory
from homespun.errors import ConfigError, DataError

SEPARATOR = "<|endoftext|>"
TEXT = f"the cat{SEPARATOR}\nthe caf\u00e9 {SEPARATOR}{SEPARATOR}" + "in the end, the the end. " * 12


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_ids_are_those_of_the_data_set(tokenizer, tmp_path, monkeypatch, num_threads):
    """Oracle: `encode_corpus` on the same files, plain and not, in pieces of a few bytes here."""
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": TEXT}) + "\n", encoding="utf-8")
    inputs = [tmp_path / "a.txt", tmp_path / "b.jsonl"]
    expected = encode_corpus(tokenizer, inputs, tmp_path / "tokens")[:]
    monkeypatch.setattr(memory, "CHUNK_BYTES", 10)
    monkeypatch.setattr(memory, "BATCH_BYTES", 10)
    ids = encode_to_memory(tokenizer, inputs, num_threads=num_threads)
    assert ids.tolist() == expected.tolist()
    assert ids.dtype == expected.dtype


def test_bad_input_is_refused_as_by_encode_corpus(tokenizer, tmp_path):
    """Oracle: the errors that `encode_corpus` documents."""
    with pytest.raises(ConfigError, match="is not a special token"):
        encode_to_memory(tokenizer, tmp_path / "a.txt", separator="<|none|>")
    (tmp_path / "a.txt").write_bytes(b"the \xff")
    with pytest.raises(DataError, match="byte 4 is not valid UTF-8"):
        encode_to_memory(tokenizer, tmp_path / "a.txt")
