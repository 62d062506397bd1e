"""Held-out text in windows and documents."""

import numpy as np
import pytest

from homespun.data import batch_windows, documents, validation_windows, windows

SEPARATOR = "<|endoftext|>"
TEXT = f"the cat{SEPARATOR}{SEPARATOR}in the end{SEPARATOR}the end"


@pytest.mark.parametrize("context_length", [1, 3, 7, 100])
def test_windows_score_every_token_once_given_the_one_before(make_dataset, context_length):
    """Oracle: the ids shifted by one with a separator in front, divided every `context_length`."""
    dataset = make_dataset(TEXT, shard_bytes=12)
    ids = dataset[:].tolist()
    shifted = [dataset.separator_id, *ids[:-1]]
    found = list(validation_windows(dataset, context_length))
    starts = range(0, len(ids), context_length)
    assert [window.targets.tolist() for window in found] == [ids[s : s + context_length] for s in starts]
    assert [window.inputs.tolist() for window in found] == [shifted[s : s + context_length] for s in starts]


@pytest.mark.parametrize("max_tokens", [1, 7, 8, 10_000])
def test_a_head_is_the_first_tokens_of_the_whole(make_dataset, max_tokens):
    dataset = make_dataset(TEXT)
    found = np.concatenate([window.targets for window in validation_windows(dataset, 4, max_tokens)])
    np.testing.assert_array_equal(found, dataset[:max_tokens])


@pytest.mark.parametrize("block_tokens", [1, 4, 1 << 20])
def test_documents_begin_after_a_separator_and_end_in_one(make_dataset, tokenizer, monkeypatch, block_tokens):
    """By hand: s the cat | s | s in the end | s the end, the last without a closing separator."""
    monkeypatch.setattr(windows, "_BLOCK_TOKENS", block_tokens)
    dataset = make_dataset(TEXT, shard_bytes=12)
    found = list(documents(dataset))
    texts = [tokenizer.decode(window.targets) for window in found]
    assert texts == [f"the cat{SEPARATOR}", SEPARATOR, f"in the end{SEPARATOR}", "the end"]
    for window in found:
        assert window.inputs.tolist() == [dataset.separator_id, *window.targets[:-1].tolist()]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 10])
def test_batches_hold_the_windows_and_nothing_else(make_dataset, batch_size):
    """Oracle: the windows themselves, out of the places that the mask marks."""
    expected = list(documents(make_dataset(TEXT)))
    found = []
    for batch in batch_windows(expected, batch_size):
        assert len(batch.mask) <= batch_size
        found += zip(batch.inputs, batch.targets, batch.mask, strict=True)
    assert len(found) == len(expected)
    for (inputs, targets, mask), window in zip(found, expected, strict=True):
        np.testing.assert_array_equal(inputs[mask], window.inputs)
        np.testing.assert_array_equal(targets[mask], window.targets)
        assert not inputs[~mask].any()
