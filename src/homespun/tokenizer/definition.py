"""What a tokenizer is, apart from how it computes: vocabulary, merges, special tokens, pattern."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homespun import _native
from homespun.errors import TokenizerError
from homespun.tokenizer.config import check_special_tokens
from homespun.tokenizer.patterns import resolve_pattern
from homespun.tokenizer.unicode_tables import UNICODE_VERSION

_LARGEST_ID = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Definition:
    """Everything that decides which ids a text gets; made by `define`, which checks it."""

    vocab: dict[int, bytes]
    """Bytes of every id, special and added tokens included, by ascending id."""
    merges: list[tuple[bytes, bytes]]
    """In order of creation, none twice."""
    special_tokens: dict[str, int]
    """Their ids, in the order given."""
    pattern: str
    """A regular expression, never a name."""
    added_tokens: dict[str, int] = field(default_factory=dict)
    """Ordinary tokens that no merge makes: their text becomes their id wherever it occurs, also where special tokens
    are text. Hugging Face's added tokens with `special: false`."""

    def found_tokens(self) -> dict[str, int]:
        """Ids of the tokens that text is searched for before it is split."""
        return self.special_tokens | self.added_tokens

    def ids_of_tokens(self) -> dict[bytes, int]:
        """The id of every token of ordinary text.

        A special token may have the bytes of an ordinary one, such as "a". It has the lower of their ids, or the same
        id if the vocabulary has the bytes once.
        """
        found_ids = set(self.found_tokens().values())
        found = {token: id_ for id_, token in self.vocab.items() if id_ in found_ids}
        return found | {token: id_ for id_, token in self.vocab.items() if id_ not in found_ids}

    def fingerprint(self) -> str:
        """The sha256 of the whole definition and of the Unicode version that its pattern's classes follow.

        It is taken over canonical JSON (sorted keys, no spaces, ASCII) in which bytes are hexadecimal; without
        "added_tokens" where there is none:

            {"added_tokens":{},"merges":[["68","65"],...],"pattern":"...","special_tokens":{"<|endoftext|>":0},
             "unicode":"16.0.0","vocab":{"0":"3c7c...",...}}
        """

        def canonical(values: Mapping[str, object]) -> str:
            return json.dumps(values, sort_keys=True, separators=(",", ":"))[1:-1]

        added = f"{canonical({'added_tokens': self.added_tokens})}," if self.added_tokens else ""
        others = {"pattern": self.pattern, "special_tokens": self.special_tokens, "unicode": UNICODE_VERSION}
        text = (
            f'{{{added}"merges":{_native.merges_as_json(self.merges)},{canonical(others)},'
            f'"vocab":{_native.tokens_as_json(list(self.vocab.items()))}}}'
        )
        return hashlib.sha256(text.encode()).hexdigest()


def define(
    vocab: Mapping[int, bytes],
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: Sequence[str] | Mapping[str, int],
    pattern: str,
    added_tokens: Sequence[str] | Mapping[str, int] = (),
) -> Definition:
    """Build a definition, and check that its fields agree.

    Special and added tokens are given with their ids, or by name alone: then one that the vocabulary has keeps its
    lowest id there, and one that it lacks gets the id after the last.

    Raises:
        TokenizerError: an id is out of range, two ordinary ids have the same bytes, a token is empty, a special token
            does not have the id stated, a merge takes or makes a token that the vocabulary lacks, or the merges are in
            no order of creation.
        ConfigError: a special token is empty or given twice, or the pattern cannot be used.
    """
    check_special_tokens("special_tokens", [*special_tokens, *added_tokens])
    vocab = dict(sorted(vocab.items()))
    special_ids = _find_tokens(vocab, special_tokens)
    added_ids = _find_tokens(vocab, added_tokens)
    _check_vocab(vocab, {*special_ids.values(), *added_ids.values()})
    # Applied in order, a merge that is listed again finds no pair left to merge.
    merges = list(dict.fromkeys(merges))
    _check_merges(merges, set(vocab.values()))
    return Definition(
        vocab=vocab,
        merges=merges,
        special_tokens=special_ids,
        pattern=resolve_pattern(pattern),
        added_tokens=added_ids,
    )


def _find_tokens(vocab: dict[int, bytes], tokens: Sequence[str] | Mapping[str, int]) -> dict[str, int]:
    """Ids of special or added tokens; appends those without an id to `vocab`."""
    if isinstance(tokens, Mapping):
        for name, id_ in tokens.items():
            if vocab.get(id_) != name.encode():
                raise TokenizerError(f"vocabulary: id {id_} of {name!r} is {vocab.get(id_)!r}; make them equal")
        return dict(tokens)
    lowest_id = {token: id_ for id_, token in reversed(vocab.items())}
    ids: dict[str, int] = {}
    for name in tokens:
        token = name.encode()
        if token not in lowest_id:
            lowest_id[token] = max(vocab, default=-1) + 1
            vocab[lowest_id[token]] = token
        ids[name] = lowest_id[token]
    return ids


def _check_vocab(vocab: dict[int, bytes], found_ids: set[int]) -> None:
    seen: dict[bytes, int] = {}
    for id_, token in vocab.items():
        if not 0 <= id_ <= _LARGEST_ID:
            raise TokenizerError(f"vocabulary: id {id_} is out of range; ids are 0 ... {_LARGEST_ID:,}")
        if not token:
            raise TokenizerError(f"vocabulary: the token of id {id_} is empty; give it at least one byte")
        if id_ in found_ids:
            continue
        if token in seen:
            raise TokenizerError(
                f"vocabulary: ids {seen[token]} and {id_} are both {token!r}; tokens are identified by their bytes, "
                "so keep one of them"
            )
        seen[token] = id_


def _check_merges(merges: list[tuple[bytes, bytes]], tokens: set[bytes]) -> None:
    """Refuse merges that need unknown tokens, or that make a token after another merge has taken it.

    In order of creation "apply the merges one after the other" (ours) and "apply the first merge that fits, again and
    again" (tiktoken's and Hugging Face's) give the same result; out of order they do not.
    """
    taken: dict[bytes, int] = {}
    for number, (left, right) in enumerate(merges, start=1):
        for token in (left, right, left + right):
            if token not in tokens:
                raise TokenizerError(
                    f"merge {number} ({left!r} + {right!r}) needs the token {token!r}, which the vocabulary lacks; "
                    "use the vocabulary and the merges of one training"
                )
        taken.setdefault(left, number)
        taken.setdefault(right, number)
        if left + right in taken:
            raise TokenizerError(
                f"merge {number} ({left!r} + {right!r}) makes a token that merge {taken[left + right]} takes already; "
                "list merges in order of creation"
            )
