"""Continue prompts with a model, one at a time or in batches."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from homespun.errors import GenerationError
from homespun.generation.sampling import DEFAULT_SAMPLING, Sampling
from homespun.generation.stops import check_stops, cut_at_stop
from homespun.generation.tokens import generate_batch
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

    The text ends where the model writes the separator, before the first stop string, or after `max_new_tokens`. Once
    it is longer than the context, the model sees its last tokens, as `homespun.generation.cache.window_start` defines.

    Args:
        model: In evaluation or training mode; no layer differs between them.
        tokenizer: The one that the model was trained with.
        prompt: Ordinary text: special tokens written in it do not become control tokens.
        max_new_tokens: The most tokens to write.
        temperature: As in `Sampling`; 0 is greedy.
        top_p: As in `Sampling`.
        top_k: As in `Sampling`.
        min_p: As in `Sampling`.
        seed: The same seed, prompt and settings give the same text.
        stop: One or more strings before which the text ends; one may span several tokens.
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
    """Yield the text of `decode` as it is generated, in whole characters and without the start of a stop string.

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

    All rows take a step in one forward, so that the weights are read once for all of them.

    There is one seed a row; None: 0, 1, 2, ... Everything else is as `decode` takes it.

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
    # In turn, so that no row runs far ahead of a row that a stop string is about to end.
    rounds = [[""] * len(prompts), *zip_longest(*streams, fillvalue="")]
    return ["".join(strings) for strings in zip(*rounds, strict=True)]


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
    _prompts_ids, streams = generate_ids(
        model,
        tokenizer,
        prompts,
        max_new_tokens,
        sampling,
        seeds=seeds,
        separator=separator,
        document_start=document_start,
    )
    return [cut_at_stop(tokenizer.decode_stream(ids), stops) for ids in streams]


def generate_ids(
    model: TransformerLM,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    max_new_tokens: int,
    sampling: Sampling = DEFAULT_SAMPLING,
    *,
    seeds: Sequence[int],
    separator: str = END_OF_TEXT,
    document_start: bool = False,
) -> tuple[list[list[int]], list[Iterator[int]]]:
    """Return the ids of each prompt, and those that `model` writes after it, in common steps as `generate_batch` says.

    With `document_start` a prompt's ids begin with the separator's.

    Raises:
        GenerationError: as in `decode`, or there are not as many seeds as prompts.
    """
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
            "the prompt encodes to no tokens; give at least one character, or let the model begin a document with "
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
    return prompts_ids, streams
