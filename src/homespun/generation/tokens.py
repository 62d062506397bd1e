"""Continue token ids with a model, in batches of prompts of any lengths."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.errors import GenerationError
from homespun.generation.cache import KeyValueCache, window_start
from homespun.generation.draw import sample_tokens
from homespun.generation.sampling import DEFAULT_SAMPLING, Sampling
from homespun.model.transformer import TransformerLM


def generate_tokens(
    model: TransformerLM,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seed: int = 0,
    end_id: int | None = None,
    num_ids: int | None = None,
    use_cache: bool = True,
) -> Iterator[int]:
    """Yield the ids that `model` writes after `prompt_ids`, each as soon as it is drawn.

    Args:
        model: Its weights must not change until the last id.
        prompt_ids: At least one id.
        max_new_tokens: The most ids to yield.
        sampling: How ids are drawn.
        seed: Of the draws.
        end_id: Ends the text when it is drawn, and is not yielded; None: nothing does.
        num_ids: Only ids below are drawn, for a model whose vocabulary was rounded up; None: all of the model's.
        use_cache: Whether keys and values are kept; without a cache every token costs a forward over the whole
            window, and the logits are the same up to rounding.

    Raises:
        GenerationError: the prompt is empty, or one of its ids is not the model's.
    """
    streams = generate_batch(
        model,
        [prompt_ids],
        max_new_tokens,
        sampling,
        seeds=[seed],
        end_id=end_id,
        num_ids=num_ids,
        use_cache=use_cache,
    )
    return streams[0]


def generate_batch(
    model: TransformerLM,
    prompts_ids: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seeds: Sequence[int],
    end_id: int | None = None,
    num_ids: int | None = None,
    use_cache: bool = True,
) -> list[Iterator[int]]:
    """`generate_tokens` for each prompt, in common steps; a row's ids do not depend on the other rows.

    Read the iterators in turn: when one needs an id that is not drawn yet, all rows take a step, and the others' ids
    wait in memory. A row whose iterator is closed takes no further steps.

    Raises:
        GenerationError: as in `generate_tokens`, or there are not as many seeds as prompts.
    """
    if len(seeds) != len(prompts_ids):
        raise GenerationError(f"seeds: {len(seeds)} given for {len(prompts_ids)} prompt(s); give as many")
    prompts = [[int(id_) for id_ in prompt_ids] for prompt_ids in prompts_ids]
    for prompt in prompts:
        if not prompt:
            raise GenerationError("the prompt has no tokens; a model can only continue at least one")
        if outside := [id_ for id_ in prompt if not 0 <= id_ < model.config.vocab_size]:
            raise GenerationError(
                f"token id {outside[0]} of the prompt is outside the model's vocabulary of "
                f"{model.config.vocab_size:,}; use the tokenizer that the model was trained with"
            )
    if max_new_tokens < 0:
        raise GenerationError(f"max_new_tokens = {max_new_tokens} must be at least 0")
    windows = _Windows(model, prompts, use_cache=use_cache)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn: list[deque[int]] = [deque() for _ in prompts]
    closed: set[int] = set()

    def step() -> None:
        rows = [row for row in windows.rows if row not in closed]
        logits_BV = windows.next_logits(rows)[:, :num_ids]
        next_ids = sample_tokens(logits_BV, sampling, [generators[row] for row in rows]).tolist()
        for row, id_ in zip(rows, next_ids, strict=True):
            windows.append(row, id_)
            drawn[row].append(id_)
            if id_ == end_id:
                closed.add(row)

    def ids_of(row: int) -> Iterator[int]:
        try:
            for _ in range(max_new_tokens):
                if not drawn[row]:
                    step()
                id_ = drawn[row].popleft()
                if id_ == end_id:
                    return
                yield id_
        finally:
            closed.add(row)

    return [ids_of(row) for row in range(len(prompts))]


class _Windows:
    """The windows of a batch of texts, and the key-value cache of their tokens."""

    def __init__(self, model: TransformerLM, texts: Sequence[list[int]], *, use_cache: bool) -> None:
        self._model = model
        self._use_cache = use_cache
        self._texts = [list(text) for text in texts]
        self._starts = [0] * len(texts)
        self._cache = KeyValueCache(model.config.num_layers, model.config.context_length)
        self.rows = list(range(len(texts)))
        """Texts that are still generated, in the order of the cache's rows."""

    def append(self, row: int, id_: int) -> None:
        """Lengthen a text by one token."""
        self._texts[row].append(id_)

    # Here rather than around the loop of `ids_of`: a generator would leave its caller in the mode at each yield.
    @torch.inference_mode()
    def next_logits(self, rows: list[int]) -> Float[Tensor, "B V"]:
        """Return the logits of the next token of each of `rows`; the cache of the other texts is dropped."""
        if rows != self.rows:
            if self._cache.lengths:
                self._cache.keep([self.rows.index(row) for row in rows])
            self.rows = rows
        # Rows with nothing cached (the first time, and when a window moves) need a pass over their whole window; the
        # others need only their last token. Each group is one pass.
        to_fill, to_extend = [], []
        for index, row in enumerate(rows):
            start = window_start(len(self._texts[row]), self._model.config.context_length)
            is_cached = bool(self._cache.lengths) and start == self._starts[row]
            (to_extend if is_cached else to_fill).append(index)
            self._starts[row] = start
        hidden = {}
        for group in (to_fill, to_extend):
            if group:
                hidden.update(zip(group, self._last_hidden(group, is_cached=group is to_extend), strict=True))
        # Only the last position's logits are needed: the head is a large part of the cost of a prompt.
        return self._model.lm_head(torch.stack([hidden[index] for index in range(len(rows))]))

    def _last_hidden(self, group: Sequence[int], *, is_cached: bool) -> Float[Tensor, "B D"]:
        """Run the model over the tokens of a group of the cache's rows that it has not seen yet."""
        device = next(self._model.parameters()).device
        cached = [self._cache.lengths[index] if is_cached else 0 for index in group]
        texts = [(self._texts[self.rows[index]], self._starts[self.rows[index]]) for index in group]
        new = [text[start + length :] for (text, start), length in zip(texts, cached, strict=True)]
        num_new = [len(ids) for ids in new]
        # Padded on the right: attention is causal, so a row's own tokens never see its padding.
        padded = [ids + [0] * (max(num_new) - len(ids)) for ids in new]
        positions_BT, cache = None, None
        if self._use_cache:
            positions_BT, cache = self._cache.begin(group, cached, num_new, device), self._cache
        # The last token that the cache has: a model with bigram embeddings looks one token back.
        before = [
            text[start + length - 1] if length else -1 for (text, start), length in zip(texts, cached, strict=True)
        ]
        ids_BT, previous_B = torch.tensor(padded, device=device), torch.tensor(before, device=device)
        hidden_BTD = self._model.hidden(ids_BT, positions_BT, cache, previous_B)
        last_B = torch.tensor(num_new, device=device) - 1
        return hidden_BTD[torch.arange(len(group), device=device), last_B]
