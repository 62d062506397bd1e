"""Divide held-out text for scoring: into windows of the context, or into whole documents."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from homespun.config import check_at_least
from homespun.data.dataset import TokenDataset

_BLOCK_TOKENS = 1 << 20


@dataclass(frozen=True)
class Window:
    """Tokens to score in one forward pass, each conditioned on the inputs up to and including its position."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]


@dataclass(frozen=True)
class WindowBatch:
    """Windows stacked into arrays (B, T), the shorter ones padded on the right."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]
    """False where there is padding, which is not scored."""


def validation_windows(dataset: TokenDataset, context_length: int, max_tokens: int | None = None) -> Iterator[Window]:
    """Divide a data set into windows that do not overlap, so that every token is scored once, the first one too.

    With context 3, ids a b c d e and separator s:

        inputs  s a b | c d
        targets a b c | d e

    Args:
        dataset: The held-out set.
        context_length: Tokens in every window but the last.
        max_tokens: The number of tokens to score, from the start. None: all.
    """
    check_at_least("context_length", context_length, 1)
    num_tokens = len(dataset) if max_tokens is None else min(max_tokens, len(dataset))
    for start in range(0, num_tokens, context_length):
        stop = min(start + context_length, num_tokens)
        targets = dataset[start:stop].astype(np.int64)
        before = dataset[start - 1] if start else dataset.separator_id
        yield Window(_shifted(before, targets), targets)


def documents(dataset: TokenDataset) -> Iterator[Window]:
    """Every document from its start, conditioned on one separator, its closing separator scored.

    For a document x y and separator s: inputs s x y, targets x y s. What follows the last separator, if anything, is a
    document without a closing one.
    """
    held: list[npt.NDArray[np.int64]] = []  # the beginning of a document that continues in the next block
    for start in range(0, len(dataset), _BLOCK_TOKENS):
        block = dataset[start : start + _BLOCK_TOKENS].astype(np.int64)
        ends = np.flatnonzero(block == dataset.separator_id) + 1
        *closed, rest = np.split(block, ends)
        for end in closed:
            targets = np.concatenate([*held, end])
            held = []
            yield Window(_shifted(dataset.separator_id, targets), targets)
        if len(rest):
            held.append(rest)
    if held:
        targets = np.concatenate(held)
        yield Window(_shifted(dataset.separator_id, targets), targets)


def batch_windows(windows: Iterable[Window], batch_size: int) -> Iterator[WindowBatch]:
    """Stack windows in the order they come, `batch_size` at a time and what is left at the end."""
    check_at_least("batch_size", batch_size, 1)
    remaining = iter(windows)
    while group := list(islice(remaining, batch_size)):
        shape = len(group), max(len(window.targets) for window in group)
        batch = WindowBatch(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_))
        for row, window in enumerate(group):
            length = len(window.targets)
            batch.inputs[row, :length] = window.inputs
            batch.targets[row, :length] = window.targets
            batch.mask[row, :length] = True
        yield batch


def _shifted(first: int, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.array([first], np.int64), targets[:-1]])
