"""How repetitive, how diverse and how much copied generated texts are, by n-grams of words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

REPEATED_WORDS = 4
DISTINCT_WORDS = 3
COPIED_WORDS = 12

Codes = npt.NDArray[np.uint64]

_PRIME = np.uint64(0x100000001B3)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A share of successes in trials, with a 95 % interval."""

    share: float
    low: float
    high: float


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the share with Wilson's score interval, which stays within 0 and 1 and has a width at 0 and 1 too.

    Source: Wilson 1927, Journal of the American Statistical Association 22, p. 209.
    """
    z = 1.959963984540054  # of the normal distribution at 97.5 %
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # At the ends the bound is the share itself, which rounding must not move.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return Interval(share=share, low=low, high=high)


def ngrams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Return all runs of `size` words that follow each other.

    >>> ngrams("a b a b".split(), 2)
    [('a', 'b'), ('b', 'a'), ('a', 'b')]
    """
    return [*zip(*(words[shift:] for shift in range(size)), strict=False)]


def repeated_share(text: str, size: int = REPEATED_WORDS) -> float:
    """Return the share of a text's n-grams that occurred earlier in it; 0 where it has none."""
    found = ngrams(text.split(), size)
    return 1 - len(set(found)) / len(found) if found else 0.0


def distinct_share(texts: Iterable[str], size: int = DISTINCT_WORDS) -> float:
    """Return the distinct n-grams of all texts over all their n-grams: compare equal numbers of texts only."""
    total, distinct = 0, set()
    for text in texts:
        found = ngrams(text.split(), size)
        total += len(found)
        distinct.update(found)
    return len(distinct) / total if total else 0.0


class CopyIndex:
    """The n-grams of a training text, to ask how much of another text is in it.

    N-grams are kept as 64-bit hashes: of 10^7 of them a random one is mistaken for a known one once in 10^12 times.
    """

    def __init__(self, documents: Iterable[str], size: int = COPIED_WORDS) -> None:
        self.size = size
        self._ids: dict[str, int] = {}
        self._documents: set[int] = set()
        hashes = []
        for document in documents:
            self._documents.add(hash(document))
            hashes.append(self._hash([self._ids.setdefault(word, len(self._ids)) for word in document.split()]))
        self._known = np.unique(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)

    def has_document(self, text: str) -> bool:
        """Whether one of the documents is this text."""
        return hash(text) in self._documents

    def copied_share(self, texts: Iterable[str]) -> float:
        """Return the share of the n-grams of `texts` that are in the training text; 0 where they have none."""
        total = found = 0
        for text in texts:
            # A word that the training text lacks has an id that no word there has.
            hashes = self._hash(
                [self._ids[word] if word in self._ids else 2**40 + index for index, word in enumerate(text.split())]
            )
            total += len(hashes)
            if len(self._known):
                places = np.minimum(np.searchsorted(self._known, hashes), len(self._known) - 1)
                found += int((self._known[places] == hashes).sum())
        return found / total if total else 0.0

    def _hash(self, ids: Sequence[int]) -> Codes:
        """Return one hash for each run of `size` ids."""
        if len(ids) < self.size:
            return np.empty(0, np.uint64)
        codes, count = np.array(ids, np.uint64), len(ids) - self.size + 1
        hashes = np.full(count, 0xCBF29CE484222325, np.uint64)
        for shift in range(self.size):
            # FNV-1a over ids instead of bytes, with the high bits folded in; overflow is meant.
            hashes = (hashes ^ codes[shift : shift + count]) * _PRIME
            hashes ^= hashes >> np.uint64(29)
        return hashes
