"""Whether a tokenizer does what the specification and other implementations say: comparisons on a sample of text."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

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


def compare_ids(
    tokenizer: Tokenizer, excerpts: Iterable[Excerpt], encode: Encode, against: str, special: SpecialPolicy = "encode"
) -> Finding:
    """Compare our ids of each excerpt with another implementation's.

    Args:
        tokenizer: Ours.
        excerpts: What is encoded.
        encode: The other.
        against: Its name.
        special: What special tokens become here; the other must do the same.
    """
    check = "ids" if special == "encode" else "ids, special tokens as text"
    num_ids = 0
    for excerpt in excerpts:
        ours, theirs = tokenizer.encode(excerpt.text, special), list(encode(excerpt.text))
        if ours != theirs:
            note = f"{excerpt.where}: {_first_difference(tokenizer, ours, theirs)}"
            return Finding(check=check, against=against, outcome="differs", note=note)
        num_ids += len(ours)
    return Finding(check=check, against=against, outcome="agrees", extent=f"{num_ids:,} ids")


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


def check_decoding(tokenizer: Tokenizer, excerpts: Iterable[Excerpt], pretokenize: reference.Pretokenize) -> Finding:
    """Whether ids decode to the text they came from: all of it, except what the pattern does not match."""
    num_bytes = 0
    for excerpt in excerpts:
        strings = reference.split_special(excerpt.text, [*tokenizer.special_tokens, *tokenizer.added_tokens])
        text = "".join(
            string if is_special else "".join(pretokenize(string)) for string, is_special in strings
        ).encode()
        decoded = tokenizer.decode_bytes(tokenizer.encode(excerpt.text))
        if decoded != text:
            place = next(i for i, (ours, given) in enumerate(zip_longest(decoded, text)) if ours != given)
            note = f"{excerpt.where}: byte {place} of the excerpt: {decoded[place : place + _CONTEXT]!r} comes back"
            return Finding(check="decoding", against="the text", outcome="differs", note=note)
        num_bytes += len(text)
    return Finding(check="decoding", against="the text", outcome="agrees", extent=f"{num_bytes:,} bytes")


def check_streaming(tokenizer: Tokenizer, excerpts: Sequence[Excerpt]) -> Finding:
    """Whether a text that arrives in chunks of any size gets the ids of the whole."""
    text = "".join(excerpt.text for excerpt in excerpts)
    whole = tokenizer.encode(text)
    for size in (1, 7, 64, 4096):
        chunks = (text[start : start + size] for start in range(0, len(text), size))
        ids = list(tokenizer.encode_iterable(chunks))
        if ids != whole:
            note = f"in chunks of size {size}: {_first_difference(tokenizer, ids, whole)}"
            return Finding(check="streaming", against="the whole at once", outcome="differs", note=note)
    extent = f"{len(whole):,} ids"
    return Finding(check="streaming", against="the whole at once", outcome="agrees", extent=extent)


def check_threads(tokenizer: Tokenizer, excerpts: Sequence[Excerpt]) -> Finding:
    """Whether one thread and two give the same ids."""
    texts = [excerpt.text for excerpt in excerpts]
    for excerpt, one, two in zip(
        excerpts, *(tokenizer.encode_batch(texts, num_threads=number) for number in (1, 2)), strict=True
    ):
        if one.tolist() != two.tolist():
            note = f"{excerpt.where}: {_first_difference(tokenizer, one.tolist(), two.tolist())}"
            return Finding(check="two threads", against="one", outcome="differs", note=note)
    return Finding(check="two threads", against="one", outcome="agrees", extent=f"{len(texts):,} texts")


def check_training(
    tokenizer: Tokenizer, excerpts: Sequence[Excerpt], pretokenize: reference.Pretokenize
) -> list[Finding]:
    """Whether training on the beginning of the sample, on one thread and on two, gives the reference's merges."""
    text = "".join(excerpt.text for excerpt in excerpts).encode()[:_REFERENCE_TEXT_BYTES].decode(errors="ignore")
    special_tokens = list(tokenizer.special_tokens)
    vocab_size = NUM_BYTES + len(special_tokens) + NUM_REFERENCE_MERGES
    _, expected = reference.train_bpe(text, vocab_size, special_tokens, pretokenize)
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample.txt")
        path.write_bytes(text.encode())
        for num_threads, name in ((1, "one thread"), (2, "two threads")):
            options = CountOptions(num_threads=num_threads)
            _, merges = train_bpe(path, vocab_size, special_tokens, pattern=tokenizer.pattern, options=options)
            findings.append(compare_merges(merges, expected, f"reference, {name}"))
    return findings


def compare_merges(ours: Sequence[tuple[bytes, bytes]], theirs: Sequence[tuple[bytes, bytes]], against: str) -> Finding:
    """Compare two lists of merges, in order."""
    for number, (our, their) in enumerate(zip_longest(ours, theirs), start=1):
        if our != their:
            note = f"merge {number}: ours {_show_merge(our)}, theirs {_show_merge(their)}"
            return Finding(check="merges", against=against, outcome="differs", note=note)
    return Finding(check="merges", against=against, outcome="agrees", extent=f"{len(ours):,} merges")


def _show_merge(merge: tuple[bytes, bytes] | None) -> str:
    return "none" if merge is None else f"{merge[0]!r} + {merge[1]!r}"


def _first_difference(tokenizer: Tokenizer, ours: Sequence[int], theirs: Sequence[int]) -> str:
    """Where two lists of ids first differ: the text before that place, and both tokens there."""
    place = next(i for i, (our, their) in enumerate(zip_longest(ours, theirs)) if our != their)
    before = tokenizer.decode_bytes(list(ours[:place]))[-_CONTEXT:]
    shown = [_show_id(tokenizer, ids[place] if place < len(ids) else None) for ids in (ours, theirs)]
    return f"token {place}, after {before!r}: ours {shown[0]}, theirs {shown[1]}"


def _show_id(tokenizer: Tokenizer, id_: int | None) -> str:
    if id_ is None:
        return "none (the end)"
    token = tokenizer.vocab.get(id_)
    return f"{id_} ({'no token' if token is None else repr(token)})"
