"""The model writes: ids after ids, text after text."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from homespun.errors import GenerationError
from homespun.generation.cache import KeyValueCache, window_start
from homespun.generation.sampling import Sampling, sample_token
from homespun.generation.stops import check_stops, cut_at_stop
from homespun.model.transformer import TransformerLM
from homespun.tokenizer.tokenizer import Tokenizer

END_OF_TEXT = "<|endoftext|>"
"""The special token that stands between documents: generation ends where the model writes it."""


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
    document_start: bool = False,
) -> str:
    """What `model` writes after `prompt`; the prompt itself is not part of it.

    It ends where the model writes `<|endoftext|>`, before the first stop string, or after `max_new_tokens`. A text
    that outgrows the context is continued from its last part, as `homespun.generation.cache.window_start` says.

    Args:
        model: In evaluation or training mode alike: it has no parts that differ.
        tokenizer: The one that the model was trained with.
        prompt: Ordinary text: special tokens spelled in it do not become control tokens.
        max_new_tokens: The most tokens to write.
        temperature: As in `Sampling`; 0 is greedy.
        top_p: As in `Sampling`.
        top_k: As in `Sampling`.
        min_p: As in `Sampling`.
        seed: The same seed, prompt and settings give the same text.
        stop: Strings, or one, before which the text ends; they may span tokens.
        document_start: Whether the prompt begins a document: `<|endoftext|>` is put before it, as in training, and
            it may be empty.

    Raises:
        GenerationError: the prompt encodes to nothing, a setting is out of its range, or model and tokenizer do not
            belong together.
    """
    return "".join(
        decode_stream(
            model,
            tokenizer,
            prompt,
            max_new_tokens,
            temperature,
            top_p,
            top_k=top_k,
            min_p=min_p,
            seed=seed,
            stop=stop,
            document_start=document_start,
        )
    )


def decode_stream(
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
    document_start: bool = False,
) -> Iterator[str]:
    """`decode` in pieces, each as soon as it is certain: no piece cuts a character or holds part of a stop string.

    Raises:
        GenerationError: as in `decode`, at once rather than with the first piece.
    """
    stops = check_stops(stop)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise GenerationError(
            f"the tokenizer has {tokenizer.vocab_size:,} tokens, model.vocab_size is {model.config.vocab_size:,}; "
            "use the tokenizer that the model was trained with"
        )
    ids = generate_tokens(
        model,
        _encode_prompt(tokenizer, prompt, document_start),
        max_new_tokens,
        Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p),
        seed=seed,
        end_id=tokenizer.special_tokens.get(END_OF_TEXT),
        num_ids=tokenizer.vocab_size,
    )
    return cut_at_stop(tokenizer.decode_stream(ids), stops)


def generate_tokens(
    model: TransformerLM,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    sampling: Sampling,
    *,
    seed: int = 0,
    end_id: int | None = None,
    num_ids: int | None = None,
    use_cache: bool = True,
) -> Iterator[int]:
    """Ids that `model` writes after `prompt_ids`, one by one as they are drawn.

    Args:
        model: Must not be trained between two ids.
        prompt_ids: At least one id.
        max_new_tokens: The most ids to yield.
        sampling: How each is drawn.
        seed: Of the draws.
        end_id: Ends the text when it is drawn, and is not yielded; None: nothing does.
        num_ids: Only ids below are drawn, for a model whose vocabulary was rounded up; None: all of the model's.
        use_cache: Whether keys and values are kept; without, every token costs a pass over the whole window and the
            logits are the same up to rounding.

    Raises:
        GenerationError: there is no prompt, or one of its ids is not the model's.
    """
    ids = [int(id_) for id_ in prompt_ids]
    if not ids:
        raise GenerationError("the prompt has no tokens; a model can only go on from at least one")
    if outside := [id_ for id_ in ids if not 0 <= id_ < model.config.vocab_size]:
        raise GenerationError(
            f"token id {outside[0]} of the prompt is outside the model's vocabulary of {model.config.vocab_size:,}; "
            "use the tokenizer that the model was trained with"
        )
    if max_new_tokens < 0:
        raise GenerationError(f"max_new_tokens = {max_new_tokens} must be at least 0")
    generator = torch.Generator().manual_seed(seed)
    window = _Window(model, use_cache=use_cache)

    def write() -> Iterator[int]:
        for _ in range(max_new_tokens):
            id_ = sample_token(window.next_logits(ids)[:num_ids], sampling, generator)
            if id_ == end_id:
                return
            ids.append(id_)
            yield id_

    return write()


class _Window:
    """The part of a growing text that the model looks at."""

    def __init__(self, model: TransformerLM, *, use_cache: bool) -> None:
        self._model = model
        self._use_cache = use_cache
        self._cache = KeyValueCache(model.config.num_layers, model.config.context_length)
        self._start = 0

    # Not around the whole loop: there the mode would leak to the caller between two yields.
    @torch.inference_mode()
    def next_logits(self, ids: Sequence[int]) -> Float[Tensor, " V"]:
        """Logits of the token after `ids`, which must begin with the ids of the call before."""
        start = window_start(len(ids), self._model.config.context_length)
        if start != self._start or not self._use_cache:
            self._cache.clear()
            self._start = start
        num_seen = start + self._cache.length
        device = self._model.head_weight.device
        new_ids_BT = torch.tensor([ids[num_seen:]], device=device)
        positions_T = torch.arange(num_seen - start, len(ids) - start, device=device)
        cache = self._cache if self._use_cache else None
        # Only the last position's logits are wanted: the head is a large part of a prompt's cost.
        hidden_BTD = self._model.hidden(new_ids_BT, positions_T, cache)
        return (hidden_BTD[:, -1] @ self._model.head_weight.T)[0]


def _encode_prompt(tokenizer: Tokenizer, prompt: str, document_start: bool) -> list[int]:
    ids = tokenizer.encode(prompt, special="text")
    if document_start:
        if END_OF_TEXT not in tokenizer.special_tokens:
            raise GenerationError(
                f"document_start needs {END_OF_TEXT}, which this tokenizer does not have; leave it out"
            )
        return [tokenizer.special_tokens[END_OF_TEXT], *ids]
    if not ids:
        raise GenerationError(
            "the prompt encodes to nothing; give at least one character, or let the model begin a document of its own "
            "with --document-start (in Python: document_start=True)"
        )
    return ids
