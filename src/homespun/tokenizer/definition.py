"""What a tokenizer is, apart from how it computes: vocabulary, merges, special tokens, pattern."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """Bytes of every id, special tokens included, by ascending id."""

    merges: list[tuple[bytes, bytes]]
    """In order of creation, none twice."""

    special_tokens: dict[str, int]
    """Their ids, in the order given."""

    pattern: str
    """A regular expression, never a name."""

    def ids_of_tokens(self) -> dict[bytes, int]:
        """The id of every token of ordinary text.

        A special token may spell the bytes of an ordinary one, such as "a". It has the lower of their ids, or where
        the vocabulary holds the bytes once, the same id.
        """
        special_ids = set(self.special_tokens.values())
        special = {token: id_ for id_, token in self.vocab.items() if id_ in special_ids}
        return special | {token: id_ for id_, token in self.vocab.items() if id_ not in special_ids}

    def fingerprint(self) -> str:
        """The sha256 of the whole definition and of the Unicode version that its pattern's classes follow.

        It is taken over canonical JSON (sorted keys, no spaces, ASCII) in which bytes are hexadecimal:

            {"merges":[["68","65"],...],"pattern":"...","special_tokens":{"<|endoftext|>":0},
             "unicode":"16.0.0","vocab":{"0":"3c7c...",...}}
        """
        others = {"pattern": self.pattern, "special_tokens": self.special_tokens, "unicode": UNICODE_VERSION}
        canonical = (
            f'{{"merges":{_native.merges_as_json(self.merges)},'
            f"{json.dumps(others, sort_keys=True, separators=(',', ':'))[1:-1]},"
            f'"vocab":{_native.tokens_as_json(list(self.vocab.items()))}}}'
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


def define(
    vocab: Mapping[int, bytes],
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: Sequence[str],
    pattern: str,
) -> Definition:
    """Check the parts against each other; special tokens that the vocabulary lacks get the ids after its last.

    Raises:
        TokenizerError: an id is out of range, two ordinary ids have the same bytes, a token is empty, a merge takes or
            makes a token that the vocabulary lacks, or the merges are in no order of creation.
        ConfigError: a special token is empty or given twice, or the pattern cannot be used.
    """
    check_special_tokens("special_tokens", special_tokens)
    vocab = dict(sorted(vocab.items()))
    special_ids = _find_special_tokens(vocab, special_tokens)
    _check_vocab(vocab, set(special_ids.values()))
    # A merge that is listed again finds nothing left to merge.
    merges = list(dict.fromkeys(merges))
    _check_merges(merges, set(vocab.values()))
    return Definition(vocab=vocab, merges=merges, special_tokens=special_ids, pattern=resolve_pattern(pattern))


def _find_special_tokens(vocab: dict[int, bytes], special_tokens: Sequence[str]) -> dict[str, int]:
    """Ids of the special tokens; appends those that `vocab` lacks to it."""
    lowest_id = {token: id_ for id_, token in reversed(vocab.items())}
    special_ids: dict[str, int] = {}
    for name in special_tokens:
        token = name.encode()
        if token not in lowest_id:
            lowest_id[token] = max(vocab, default=-1) + 1
            vocab[lowest_id[token]] = token
        special_ids[name] = lowest_id[token]
    return special_ids


def _check_vocab(vocab: dict[int, bytes], special_ids: set[int]) -> None:
    seen: dict[bytes, int] = {}
    for id_, token in vocab.items():
        if not 0 <= id_ <= _LARGEST_ID:
            raise TokenizerError(f"vocabulary: id {id_} is out of range; ids are 0 ... {_LARGEST_ID:,}")
        if not token:
            raise TokenizerError(f"vocabulary: the token of id {id_} is empty; give it at least one byte")
        if id_ in special_ids:
            continue
        if token in seen:
            raise TokenizerError(
                f"vocabulary: ids {seen[token]} and {id_} are both {token!r}; tokens are told apart by their bytes, "
                "so keep one of them"
            )
        seen[token] = id_


def _check_merges(merges: list[tuple[bytes, bytes]], tokens: set[bytes]) -> None:
    """Refuse merges that need unknown tokens, or that make a token after another merge has taken it.

    In order of creation "apply the merges one after the other" (ours) and "apply the first merge that fits, again and
    again" (tiktoken's and Hugging Face's) come to the same; out of order they do not.
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
