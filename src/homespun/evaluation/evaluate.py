"""How well a model predicts a token data set, or the first tokens of it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from math import exp, log

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.config import check_at_least
from homespun.data.dataset import TokenDataset
from homespun.data.windows import Window, WindowBatch, batch_windows, documents, validation_windows
from homespun.model.transformer import TransformerLM

_SORTED_BATCHES = 64
"""Batches whose documents are sorted by length together, so that little of each batch is padding."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How well a model predicts a text: totals, and the rates that follow from them."""

    nats: float
    """Sum of -ln p over the scored tokens."""

    num_tokens: int
    """Tokens scored, separators included."""

    num_bytes: int
    """Bytes of text of these tokens, separators included."""

    whole: bool
    """Whether the whole set was scored, rather than its first tokens."""

    @property
    def loss(self) -> float:
        """Nats per token: comparable only between models that share a tokenizer."""
        return self.nats / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(loss): the number of equally likely tokens that would be as hard to guess."""
        return exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Nats / ln 2 / bytes: comparable between any two models of the same text."""
        return self.nats / log(2) / self.num_bytes

    @property
    def bytes_per_token(self) -> float:
        """The tokenizer's compression of this text."""
        return self.num_bytes / self.num_tokens


def evaluate_dataset(
    model: TransformerLM,
    dataset: TokenDataset,
    *,
    context_length: int,
    batch_size: int,
    max_tokens: int | None = None,
    precision_context: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Evaluation:
    """Score every token of `dataset` once, the first one as if a separator stood before it.

    Text is scored in windows of the context that do not overlap, the last partial one included. A set that carries its
    exact bits is scored document by document, each from its start after one separator: these are the conditions
    under which its entropy is known, so that the model's bits per byte can be compared with it.

    Nats are summed in float64.

    Args:
        model: Computes where its parameters are.
        dataset: The held-out text.
        context_length: Tokens that the model may look at; a longer document is cut there.
        batch_size: Windows or documents in one forward pass.
        max_tokens: Score only so many tokens from the start, or the documents that end within them and at least one;
            None for all.
        precision_context: Called for the autocast context of each forward pass.

    Raises:
        ConfigError: a number is below 1.
    """
    if max_tokens is not None:
        check_at_least("max_tokens", max_tokens, 1)
    check_at_least("context_length", context_length, 1)
    windows = (
        validation_windows(dataset, context_length, max_tokens)
        if dataset.entropy is None
        else _sort_by_length(_cut(_first(documents(dataset), max_tokens), context_length), batch_size)
    )
    device = next(model.parameters()).device
    nats, num_tokens, num_bytes = 0.0, 0, 0
    with torch.no_grad():
        for batch in batch_windows(windows, batch_size):
            with precision_context():
                nats_BT = score_batch(model, batch, device)
            nats += float(nats_BT.cpu().double().sum())
            num_tokens += int(batch.mask.sum())
            num_bytes += dataset.count_bytes(batch.targets[batch.mask])
    return Evaluation(nats=nats, num_tokens=num_tokens, num_bytes=num_bytes, whole=num_tokens == len(dataset))


def score_batch(model: TransformerLM, batch: WindowBatch, device: torch.device) -> Float[Tensor, "B T"]:
    """Return the nats of each target, -log p(target | inputs up to it); 0 where there is padding."""
    hidden_BTD = model.hidden(torch.from_numpy(batch.inputs).to(device))
    losses_BT = model.lm_head.token_losses(hidden_BTD, torch.from_numpy(batch.targets).to(device))
    return losses_BT * torch.from_numpy(batch.mask).to(device)


def _first(windows: Iterable[Window], max_tokens: int | None) -> Iterator[Window]:
    """Yield the first windows that have at most `max_tokens` targets together, and at least one window."""
    total = 0
    for window in windows:
        total += len(window.targets)
        if max_tokens is not None and total > max_tokens and total > len(window.targets):
            return
        yield window


def _cut(windows: Iterable[Window], context_length: int) -> Iterator[Window]:
    """Cut longer windows to the context; each further window begins with the last token of the one before."""
    for window in windows:
        for start in range(0, len(window.targets), context_length):
            stop = start + context_length
            yield Window(window.inputs[start:stop], window.targets[start:stop])


def _sort_by_length(windows: Iterable[Window], batch_size: int) -> Iterator[Window]:
    remaining = iter(windows)
    while group := list(islice(remaining, _SORTED_BATCHES * batch_size)):
        yield from sorted(group, key=lambda window: len(window.targets), reverse=True)
