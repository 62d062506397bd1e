"""Scores a token data set with a model, the whole of it or a fixed head."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.config import check_at_least
from homespun.data.dataset import TokenDataset
from homespun.data.windows import Window, WindowBatch, batch_windows, documents, validation_windows
from homespun.evaluation.evaluation import Evaluation
from homespun.model.transformer import TransformerLM

_SORTED_BATCHES = 64
"""Batches whose documents are sorted by length together, so that little of each batch is padding."""


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
    under which its entropy is known, so that the model's bits per byte may stand beside it.

    Nats are added up in float64.

    Args:
        model: The model, whose parameters are where it computes.
        dataset: The held-out text.
        context_length: Tokens that the model may look at; a longer document is cut there.
        batch_size: Windows or documents in one forward pass.
        max_tokens: Score only so many tokens from the start, or the documents that lie wholly among them and at least
            one; None for all.
        precision_context: Makes the autocast context of the forward passes.

    Raises:
        ConfigError: a number is below 1.
    """
    if max_tokens is not None:
        check_at_least("max_tokens", max_tokens, 1)
    check_at_least("context_length", context_length, 1)
    windows = (
        validation_windows(dataset, context_length, max_tokens)
        if dataset.entropy is None
        else _sort_by_length(_cut(_head(documents(dataset), max_tokens), context_length), batch_size)
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
    """Nats of each target, -log p(target | inputs up to it); 0 where there is padding.

    Logits are made for one sequence at a time: those of a batch are the largest tensor of a small model, and memory
    that is fetched anew for each batch costs more than the arithmetic.
    """
    hidden_BTD = model.hidden(torch.from_numpy(batch.inputs).to(device))
    targets_BT = torch.from_numpy(batch.targets).to(device)
    nats = []
    for hidden_TD, targets_T in zip(hidden_BTD, targets_BT, strict=True):
        logits_TV = (hidden_TD @ model.head_weight.T).float()
        chosen_T = logits_TV.gather(-1, targets_T.unsqueeze(-1)).squeeze(-1)
        nats.append(torch.logsumexp(logits_TV, dim=-1) - chosen_T)
    return torch.stack(nats) * torch.from_numpy(batch.mask).to(device)


def _head(windows: Iterable[Window], max_tokens: int | None) -> Iterator[Window]:
    """The first windows that have `max_tokens` targets at most, and at least one window."""
    total = 0
    for window in windows:
        total += len(window.targets)
        if max_tokens is not None and total > max_tokens and total > len(window.targets):
            return
        yield window


def _cut(windows: Iterable[Window], context_length: int) -> Iterator[Window]:
    """The same windows, the longer ones in pieces of the context; a later piece sees one token of the one before."""
    for window in windows:
        for start in range(0, len(window.targets), context_length):
            stop = start + context_length
            yield Window(window.inputs[start:stop], window.targets[start:stop])


def _sort_by_length(windows: Iterable[Window], batch_size: int) -> Iterator[Window]:
    remaining = iter(windows)
    while group := list(islice(remaining, _SORTED_BATCHES * batch_size)):
        yield from sorted(group, key=lambda window: len(window.targets), reverse=True)
