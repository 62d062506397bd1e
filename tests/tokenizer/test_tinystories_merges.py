"""The merges of the whole of TinyStories, from the counts of its 2.2 GB."""

import json
import lzma

import pytest

from homespun.tokenizer import train_bpe_from_counts

pytestmark = pytest.mark.golden


def read_xz(path):
    return json.loads(lzma.decompress(path.read_bytes()))


def test_counts_of_tinystories_give_its_merges(shared_data):
    """Golden: shared/data/tinystories/merges-10k.json.xz, on which two independent trainers agree."""
    counts = read_xz(shared_data / "tinystories" / "pretoken-counts.json.xz")
    assert sum(counts.values()) == 536_592_168
    in_bytes = {pretoken.encode(): count for pretoken, count in counts.items()}
    vocab, merges = train_bpe_from_counts(in_bytes, 10_000, ["<|endoftext|>"])
    expected = read_xz(shared_data / "tinystories" / "merges-10k.json.xz")
    assert [[left.hex(), right.hex()] for left, right in merges] == expected
    assert len(vocab) == 10_000
    assert max(vocab.values(), key=len) == b" accomplishment"
