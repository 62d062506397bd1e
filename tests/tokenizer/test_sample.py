"""Evenly spaced samples of texts."""

import gzip
import json

import pytest

from homespun.corpus import InputFile
from homespun.tokenizer.sample import Excerpt, take_sample

SEPARATOR = "<|endoftext|>"


def sample_of(path, num_bytes, **settings) -> list[Excerpt]:
    return take_sample([InputFile(str(path))], num_bytes, separator=SEPARATOR, text_key="text", **settings)


def test_a_small_text_is_its_own_sample(tmp_path):
    """Oracle: its documents, the empty one aside; a long one in pieces, cut after a line or a word, or anywhere."""
    long = "word " * 10 + "\n" + "x" * 200 + " \u00e9"
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress(SEPARATOR.join(["one", "", "two\n", long]).encode()))
    excerpts = sample_of(path, 64 * 60)
    assert [excerpt.where for excerpt in excerpts] == [f"{path}: document {n}" for n in (1, 3, 4, 4, 4, 4, 4)]
    assert [excerpt.text for excerpt in excerpts[:4]] == ["one", "two\n", "word " * 10 + "\n", "x" * 60]
    assert "".join(excerpt.text for excerpt in excerpts[2:]) == long


@pytest.mark.parametrize("num_bytes", [64, 1000, 5000, 20_000])
def test_a_sample_is_spread_evenly_and_bounded(tmp_path, num_bytes):
    """Oracle: every n-th document, counted by hand."""
    documents = [f"{n:05d} " * 6 for n in range(1000)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
    texts = [excerpt.text for excerpt in sample_of(path, num_bytes)]
    assert num_bytes / 4 < sum(map(len, texts)) <= num_bytes
    if num_bytes >= 64 * 36:
        stride = documents.index(texts[1])
        assert texts == documents[::stride]


def test_a_document_longer_than_what_is_held_is_sampled_too(tmp_path):
    """Three mebibytes without a separator."""
    path = tmp_path / "corpus.txt"
    path.write_text("a line of text\n" * (3 << 16))
    calls = []
    excerpts = sample_of(path, 10_000, on_progress=lambda *call: calls.append(call))
    assert 2500 < sum(len(excerpt.text) for excerpt in excerpts) <= 10_000
    assert {excerpt.where for excerpt in excerpts} == {f"{path}: document 1"}
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)
