"""Generate text with a model: from ids to ids, from prompts to text, one at a time or in batches."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.errors import GenerationError
from homespun.generation.cache import KeyValueCache, window_start
from homespun.generation.draw import sample_tokens
from homespun.generation.sampling import DEFAULT_SAMPLING, Sampling
from homespun.generation.stops import check_stops, cut_at_stop
from homespun.model.transformer import TransformerLM
from homespun.tokenizer.tokenizer import Tokenizer

END_OF_TEXT = "<|endoftext|>"
"""The separator of most corpora, and the default here; a tokenizer need not have it."""


def decode(
    model: TransformerLM,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    *,
    top_k: int | None = None,
    min_p: float = 0.0,
    seed: int = 0,
    stop: str | Sequence[str] = (),
    separator: str = END_OF_TEXT,
    document_start: bool = False,
) -> str:
    """Return what `model` writes after `prompt`, without the prompt.

    The text ends where the model writes the separator, before the first stop string, or after `max_new_tokens`. When
    it outgrows the context, the model sees its latest part, as `homespun.generation.cache.window_start` says.

    Args:
        model: In evaluation or training mode alike: no layer differs between them.
        tokenizer: The one that the model was trained with.
        prompt: Ordinary text: special tokens written in it do not become control tokens.
        max_new_tokens: The most tokens to write.
        temperature: As in `Sampling`; 0 is greedy.
        top_p: As in `Sampling`.
        top_k: As in `Sampling`.
        min_p: As in `Sampling`.
        seed: The same seed, prompt and settings give the same text.
        stop: One or more strings before which the text ends; they may span tokens.
        separator: The special token between the documents that the model was trained on.
        document_start: Whether the prompt begins a document: the separator is put before it, as in training, and the
            prompt may be empty.

    Raises:
        GenerationError: the prompt encodes to nothing, a setting is out of its range, or model and tokenizer do not
            belong together.
    """
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    return "".join(
        decode_stream(
            model,
            tokenizer,
            prompt,
            max_new_tokens,
            sampling,
            seed=seed,
            stop=stop,
            separator=separator,
            document_start=document_start,
        )
    )


def decode_stream(
    model: TransformerLM,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seed: int = 0,
    stop: str | Sequence[str] = (),
    separator: str = END_OF_TEXT,
    document_start: bool = False,
) -> Iterator[str]:
    """`decode` as it is written: a string as soon as it is certain, never part of a character or of a stop string.

    Raises:
        GenerationError: as in `decode`, at once rather than with the first string.
    """
    streams = decode_streams(
        model,
        tokenizer,
        [prompt],
        max_new_tokens,
        sampling,
        seeds=[seed],
        stop=stop,
        separator=separator,
        document_start=document_start,
    )
    return streams[0]


def decode_batch(
    model: TransformerLM,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seeds: Sequence[int] | None = None,
    stop: str | Sequence[str] = (),
    separator: str = END_OF_TEXT,
    document_start: bool = False,
) -> list[str]:
    """`decode` of several prompts at once, of any lengths: row i is `decode` of `prompts[i]` with `seeds[i]`.

    The rows take their steps together, so that the weights are read once for all of them.

    Args:
        model: As in `decode`.
        tokenizer: As in `decode`.
        prompts: One a row.
        max_new_tokens: The most tokens to write in a row.
        sampling: How tokens are drawn, in every row.
        seeds: One a row; None: 0, 1, 2, ...
        stop: As in `decode`.
        separator: As in `decode`.
        document_start: As in `decode`.

    Raises:
        GenerationError: as in `decode`, or there are not as many seeds as prompts.
    """
    streams = decode_streams(
        model,
        tokenizer,
        prompts,
        max_new_tokens,
        sampling,
        seeds=range(len(prompts)) if seeds is None else seeds,
        stop=stop,
        separator=separator,
        document_start=document_start,
    )
    texts = [""] * len(streams)
    open_streams = dict(enumerate(streams))
    while open_streams:
        # In turn, so that no row runs far ahead of a row that a stop string is about to end.
        for row, stream in list(open_streams.items()):
            if (text := next(stream, None)) is None:
                del open_streams[row]
            else:
                texts[row] += text
    return texts


def decode_streams(
    model: TransformerLM,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seeds: Sequence[int],
    stop: str | Sequence[str] = (),
    separator: str = END_OF_TEXT,
    document_start: bool = False,
) -> list[Iterator[str]]:
    """`decode_stream` for each prompt, in common steps: read in turn or one after another, as `generate_batch` says.

    Raises:
        GenerationError: as in `decode`, or there are not as many seeds as prompts.
    """
    stops = check_stops(stop)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise GenerationError(
            f"the tokenizer's ids reach {tokenizer.vocab_size - 1:,}, but model.vocab_size is "
            f"{model.config.vocab_size:,}; use the tokenizer that the model was trained with"
        )
    separator_id = tokenizer.special_tokens.get(separator)
    # The default may be absent: not every tokenizer separates documents. A separator that was asked for may not.
    if separator_id is None and (document_start or separator != END_OF_TEXT):
        known = ", ".join(tokenizer.special_tokens) or "none"
        raise GenerationError(
            f"the tokenizer has no special token {separator!r} to begin or end a document with; it has: {known}"
        )
    prompts_ids = [tokenizer.encode(prompt, special="text") for prompt in prompts]
    if document_start:
        prompts_ids = [[separator_id, *ids] for ids in prompts_ids if separator_id is not None]
    elif not all(prompts_ids):
        raise GenerationError(
            "the prompt encodes to nothing; give at least one character, or let the model begin a document with "
            "--document-start (in Python: document_start=True)"
        )
    streams = generate_batch(
        model,
        prompts_ids,
        max_new_tokens,
        sampling,
        seeds=seeds,
        end_id=separator_id,
        num_ids=tokenizer.vocab_size,
    )
    return [cut_at_stop(tokenizer.decode_stream(ids), stops) for ids in streams]


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
        model: Must not be trained between two ids.
        prompt_ids: At least one id.
        max_new_tokens: The most ids to yield.
        sampling: How ids are drawn.
        seed: Of the draws.
        end_id: Ends the text when it is drawn, and is not yielded; None: nothing does.
        num_ids: Only ids below are drawn, for a model whose vocabulary was rounded up; None: all of the model's.
        use_cache: Whether keys and values are kept; without, every token costs a pass over the whole window and the
            logits are the same up to rounding.

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
        raise GenerationError(f"{len(seeds)} seeds for {len(prompts_ids)} prompts; give one seed a prompt")
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
    """The tokens of growing texts that the model sees, and the cache of what it made of them."""

    def __init__(self, model: TransformerLM, texts: Sequence[list[int]], *, use_cache: bool) -> None:
        self._model = model
        self._use_cache = use_cache
        self._texts = [list(text) for text in texts]
        self._starts = [0] * len(texts)
        self._cache = KeyValueCache(model.config.num_layers, model.config.context_length)
        self.rows = list(range(len(texts)))
        """Texts that are still growing, in the order of the cache's rows."""

    def append(self, row: int, id_: int) -> None:
        """Lengthen a text by one token."""
        self._texts[row].append(id_)

    # Not around the whole loop: there the mode would leak to the caller between two yields.
    @torch.inference_mode()
    def next_logits(self, rows: list[int]) -> Float[Tensor, "B V"]:
        """Return the logits of the next token of each of `rows`; other texts are dropped for good."""
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
        hidden_BTD = self._model.hidden(torch.tensor(padded, device=device), positions_BT, cache)
        last_B = torch.tensor(num_new, device=device) - 1
        return hidden_BTD[torch.arange(len(group), device=device), last_B]
