"""Whether a tokenizer does what the specification and other implementations say: comparisons on a sample of text."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from homespun.errors import HomespunError
from homespun.tokenizer import reference
from homespun.tokenizer.config import NUM_BYTES
from homespun.tokenizer.counting.options import CountOptions
from homespun.tokenizer.sample import Excerpt
from homespun.tokenizer.tokenizer import SpecialPolicy, Tokenizer
from homespun.tokenizer.train import train_bpe

Encode = Callable[[str], Sequence[int]]
Outcome = Literal["agrees", "differs", "skipped"]

NUM_REFERENCE_MERGES = 200
"""The reference counts all pairs again for every merge: this many take seconds."""
_REFERENCE_TEXT_BYTES = 1 << 16
_CONTEXT = 20


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one comparison."""

    check: str
    against: str
    outcome: Outcome
    extent: str = ""
    """How much was compared."""
    note: str = ""
    """Why it was skipped, or the first difference."""


class NotComparableError(HomespunError):
    """A comparison cannot be made; the message says why."""


def reference_encoder(tokenizer: Tokenizer, pretokenize: reference.Pretokenize) -> Encode:
    """The reference's `encode`, fast enough for large vocabularies.

    Each distinct pre-token is merged once, using only the merges whose result occurs in it: no other could apply.
    """
    numbers: dict[bytes, list[int]] = defaultdict(list)
    merges = tokenizer.merges
    for number, (left, right) in enumerate(merges):
        numbers[left + right].append(number)
    longest = max(map(len, numbers), default=0)
    known: dict[str, list[int]] = {}
    whole = [*tokenizer.special_tokens, *tokenizer.added_tokens]

    def ids_of(pretoken: str) -> list[int]:
        data = pretoken.encode()
        substrings = {data[i:j] for i in range(len(data)) for j in range(i + 2, min(len(data), i + longest) + 1)}
        fitting = sorted(number for substring in substrings for number in numbers.get(substring, ()))
        return [tokenizer.token_to_id(token) for token in reference.encode_pretoken(data, (merges[n] for n in fitting))]

    def encode(text: str) -> list[int]:
        ids: list[int] = []
        for string, is_whole in reference.split_special(text, whole):
            if is_whole:
                ids.append(tokenizer.token_to_id(string.encode()))
                continue
            for pretoken in pretokenize(string):
                if pretoken not in known:
                    known[pretoken] = ids_of(pretoken)
                ids += known[pretoken]
        return ids

    return encode


def compare_ids(
    tokenizer: Tokenizer,
    excerpts: Iterable[Excerpt],
    theirs: Iterable[Sequence[int]],
    against: str,
    *,
    check: str = "ids",
    special: SpecialPolicy = "encode",
) -> Finding:
    """Compare `Tokenizer.encode` of each excerpt with the ids that it has in `theirs`."""
    num_ids = 0
    for excerpt, expected in zip(excerpts, theirs, strict=True):
        ids = tokenizer.encode(excerpt.text, special)
        if (place := _first_difference(ids, expected)) is not None:
            before = tokenizer.decode_bytes(ids[:place])[-_CONTEXT:]
            shown = [
                f"{found[place]} ({tokenizer.vocab.get(found[place], 'no token')!r})"
                if place < len(found)
                else "none (the end)"
                for found in (ids, expected)
            ]
            note = f"{excerpt.where}: token {place}, after {before!r}: ours {shown[0]}, theirs {shown[1]}"
            return Finding(check=check, against=against, outcome="differs", note=note)
        num_ids += len(ids)
    return Finding(check=check, against=against, outcome="agrees", extent=f"{num_ids:,} ids")


def check_streaming(tokenizer: Tokenizer, excerpts: Iterable[Excerpt]) -> Finding:
    """Whether a text that arrives in chunks of any size gets the ids of the whole."""
    text, sizes = "".join(excerpt.text for excerpt in excerpts), (1, 7, 64, 4096)

    def stream(size: int) -> list[int]:
        return list(tokenizer.encode_iterable(text[start : start + size] for start in range(0, len(text), size)))

    wholes = [Excerpt(f"in chunks of size {size}", text) for size in sizes]
    return compare_ids(tokenizer, wholes, map(stream, sizes), "chunks", check="streaming")


def check_threads(tokenizer: Tokenizer, excerpts: Sequence[Excerpt]) -> Finding:
    """Whether a batch on two threads gets the ids of its texts one by one."""
    batch = tokenizer.encode_batch([excerpt.text for excerpt in excerpts], num_threads=2)
    return compare_ids(tokenizer, excerpts, (ids.tolist() for ids in batch), "two threads", check="batch")


def check_decoding(tokenizer: Tokenizer, excerpts: Iterable[Excerpt]) -> Finding:
    """Whether ids decode to the text that they came from."""
    num_bytes = 0
    for excerpt in excerpts:
        text, decoded = excerpt.text.encode(), tokenizer.decode_bytes(tokenizer.encode(excerpt.text))
        if (place := _first_difference(decoded, text)) is not None:
            note = f"{excerpt.where}: byte {place} of the excerpt: {decoded[place : place + _CONTEXT]!r} comes back"
            return Finding(check="decoding", against="the text", outcome="differs", note=note)
        num_bytes += len(text)
    return Finding(check="decoding", against="the text", outcome="agrees", extent=f"{num_bytes:,} bytes")


def check_training(
    tokenizer: Tokenizer, excerpts: Iterable[Excerpt], pretokenize: reference.Pretokenize
) -> Iterator[Finding]:
    """Whether training on the beginning of the sample, on one thread and on two, gives the reference's merges."""
    text = "".join(excerpt.text for excerpt in excerpts).encode()[:_REFERENCE_TEXT_BYTES].decode(errors="ignore")
    special_tokens = list(tokenizer.special_tokens)
    vocab_size = NUM_BYTES + len(special_tokens) + NUM_REFERENCE_MERGES
    _, expected = reference.train_bpe(text, vocab_size, special_tokens, pretokenize)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample.txt")
        path.write_bytes(text.encode())
        for num_threads, name in ((1, "one thread"), (2, "two threads")):
            options = CountOptions(num_threads=num_threads)
            _, merges = train_bpe(path, vocab_size, special_tokens, pattern=tokenizer.pattern, options=options)
            yield compare_merges(merges, expected, f"reference, {name}")


def compare_merges(ours: Sequence[tuple[bytes, bytes]], theirs: Sequence[tuple[bytes, bytes]], against: str) -> Finding:
    """Compare two lists of merges, in order."""
    if (place := _first_difference(ours, theirs)) is not None:
        shown = [" + ".join(map(repr, merges[place])) if place < len(merges) else "none" for merges in (ours, theirs)]
        note = f"merge {place + 1}: ours {shown[0]}, theirs {shown[1]}"
        return Finding(check="merges", against=against, outcome="differs", note=note)
    return Finding(check="merges", against=against, outcome="agrees", extent=f"{len(ours):,} merges")


def _first_difference(ours: Sequence[object], theirs: Sequence[object]) -> int | None:
    pairs = enumerate(zip_longest(ours, theirs))
    return next((place for place, (our, their) in pairs if our != their), None)
