"""Byte-level BPE, slow and exact: the specification, and the oracle of the fast one's tests.

A symbol is its bytes: the same bytes made by two different merges are one token. Nothing here is fast, stateful or
imported from a library; `reference_splitting` has the split patterns, for Python's `re`.

    >>> merges = train_merges({b"low": 5, b"lower": 2, b"widest": 3, b"newest": 6}, num_tokens=6)
    >>> [left + right for left, right in merges]
    [b'st', b'est', b'ow', b'low', b'west', b'ne']
    >>> encode_pretoken(b"newest", merges)
    [b'ne', b'west']

Source: Sennrich et al. 2016, arXiv:1508.07909, algorithm 1; Radford et al. 2019 (GPT-2), section 2.2, for bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from homespun.tokenizer.reference_splitting import split_gpt2

Pretokenize = Callable[[str], Iterable[str]]


def split_special(text: str, special_tokens: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Split `text` at special tokens (the longest where several begin); yield each string and whether it is special."""
    longest_first = sorted(special_tokens, key=len, reverse=True)
    begin = index = 0
    while index < len(text):
        token = next((token for token in longest_first if text.startswith(token, index)), None)
        if token is None:
            index += 1
            continue
        if begin < index:
            yield text[begin:index], False
        yield token, True
        begin = index = index + len(token)
    if begin < len(text):
        yield text[begin:], False


def count_pretokens(text: str, special_tokens: Sequence[str], pretokenize: Pretokenize = split_gpt2) -> Counter[bytes]:
    """How often each pre-token occurs between the special tokens."""
    return Counter(
        pretoken.encode()
        for string, is_special in split_special(text, special_tokens)
        if not is_special
        for pretoken in pretokenize(string)
    )


def train_merges(
    counts: Mapping[bytes, int], num_tokens: int, special_tokens: Sequence[str] = (), ties: str = "bytes"
) -> list[tuple[bytes, bytes]]:
    """Merge the most frequent pair again and again, until `num_tokens` new tokens exist or no pair does.

    Among equally frequent pairs, `ties="bytes"` merges the greater pair of byte strings, `ties="ids"` the smaller pair
    of ids; only the ids depend on the special tokens. Every merge makes a new token: symbols with the bytes of an
    existing token have already been merged into it.
    """
    words = [([bytes([byte]) for byte in word], count) for word, count in counts.items() if count > 0]
    ids = _HuggingFaceIds(special_tokens) if ties == "ids" else None

    def order(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes] | tuple[int, int]:
        return pair if ids is None else (-ids[pair[0]], -ids[pair[1]])

    merges: list[tuple[bytes, bytes]] = []
    while len(merges) < num_tokens:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for symbols, count in words:
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], order(pair)))
        words = [(merge_pair(symbols, best), count) for symbols, count in words]
        merges.append(best)
        if ids is not None:
            ids.add(best[0] + best[1])
    return merges


class _HuggingFaceIds(dict[bytes, int]):
    """Ids of tokens as Hugging Face's trainer gives them: special tokens, the bytes by their characters, merged tokens.

    There a token is a string with one character per byte; one equal to a special token's string shares its id.
    """

    def __init__(self, special_tokens: Sequence[str]) -> None:
        shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
        others = [byte for byte in range(256) if byte not in shown]
        codes = {byte: byte for byte in shown} | {byte: 0x100 + index for index, byte in enumerate(others)}
        self._characters = [chr(codes[byte]) for byte in range(256)]
        self._named: dict[str, int] = {}
        for name in special_tokens:
            self._named.setdefault(name, len(self._named))
        for byte in sorted(range(256), key=self._characters.__getitem__):
            self.add(bytes([byte]))

    def add(self, token: bytes) -> None:
        name = "".join(self._characters[byte] for byte in token)
        self[token] = self._named.setdefault(name, len(self._named))


def merge_pair(symbols: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """`symbols` with every occurrence of `pair` merged, from left to right: in a, a, a the first two."""
    merged: list[bytes] = []
    index = 0
    while index < len(symbols):
        found = tuple(symbols[index : index + 2]) == pair
        merged.append(pair[0] + pair[1] if found else symbols[index])
        index += 2 if found else 1
    return merged


def train_bpe(
    text: str, vocab_size: int, special_tokens: Sequence[str], pretokenize: Pretokenize = split_gpt2
) -> tuple[dict[int, bytes], list[tuple[bytes, bytes]]]:
    """Vocabulary (special tokens, the 256 bytes, merged tokens) and merges of `text`."""
    counts = count_pretokens(text, special_tokens, pretokenize)
    merges = train_merges(counts, vocab_size - 256 - len(special_tokens))
    merged = (left + right for left, right in merges)
    tokens = [*(token.encode() for token in special_tokens), *(bytes([byte]) for byte in range(256)), *merged]
    return dict(enumerate(tokens)), merges


def encode_pretoken(pretoken: bytes, merges: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """The tokens of a pre-token: its bytes, with every merge applied in order of creation."""
    symbols = [bytes([byte]) for byte in pretoken]
    for pair in merges:
        symbols = merge_pair(symbols, pair)
    return symbols


def encode(
    text: str,
    id_of_token: Mapping[bytes, int],
    merges: Sequence[tuple[bytes, bytes]],
    special_tokens: Mapping[str, int],
    pretokenize: Pretokenize = split_gpt2,
) -> list[int]:
    """Ids of `text`, in which special tokens become their ids."""
    ids: list[int] = []
    for string, is_special in split_special(text, list(special_tokens)):
        if is_special:
            ids.append(special_tokens[string])
        else:
            for pretoken in pretokenize(string):
                ids += (id_of_token[symbol] for symbol in encode_pretoken(pretoken.encode(), merges))
    return ids


def decode(ids: Iterable[int], vocab: Mapping[int, bytes]) -> str:
    """The text of `ids`, with U+FFFD for bytes that are not UTF-8."""
    return b"".join(vocab[id_] for id_ in ids).decode("utf-8", errors="replace")
