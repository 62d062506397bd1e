"""tiktoken's files: one token in base64 and its rank per line. Merges are recovered, as the file does not have them."""

import base64
import binascii
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from homespun.errors import TokenizerError
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.storage.reading import errors_about, read_utf8


def read_tiktoken_file(path: Path, special_tokens: Mapping[str, int], pattern: str) -> Definition:
    """Read the tokenizer of a `.tiktoken` file, which has neither special tokens nor pattern.

    Raises:
        MissingFileError: the file does not exist.
        TokenizerError: a line is malformed, an id is taken twice, or no merge makes a token.
    """
    vocab: dict[int, bytes] = {}
    for number, line in enumerate(read_utf8(path, "base64 tokens with their ranks").splitlines(), start=1):
        if line:
            token, rank = _parse_line(line, f"{path}:{number}")
            if rank in vocab:
                raise TokenizerError(f"{path}:{number}: rank {rank} stands twice; restore the file")
            vocab[rank] = token
    with errors_about(path):
        merges = recover_merges(vocab)
        for name, id_ in special_tokens.items():
            if id_ in vocab:
                raise TokenizerError(f"id {id_} of the special token {name!r} is taken by {vocab[id_]!r}; use another")
            vocab[id_] = name.encode()
        return define(vocab, merges, special_tokens, pattern)


def recover_merges(vocab: Mapping[int, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the merge that makes each token, by ascending rank.

    Merging a token's own bytes by the tokens of lower rank must end in two symbols: they are what the training merged.
    No other pair can make the token later: merges inside a token's bytes do not depend on the text around them.

    Raises:
        TokenizerError: a token ends in more than two symbols, so that no text could have it.
    """
    rank_of = {token: rank for rank, token in vocab.items()}
    merges: list[tuple[bytes, bytes]] = []
    for rank, token in sorted(vocab.items()):
        if len(token) == 1:
            continue
        symbols = _merge_below(token, rank, rank_of)
        if len(symbols) != 2:
            raise TokenizerError(
                f"no merge of tokens of lower rank makes {token!r} (rank {rank}); "
                "this is not the vocabulary of a byte-pair encoding"
            )
        merges.append((symbols[0], symbols[1]))
    return merges


def _merge_below(token: bytes, limit: int, rank_of: Mapping[bytes, int]) -> list[bytes]:
    """The symbols of `token` after merging the pairs that make a token of a rank below `limit`, lowest first."""
    symbols = [bytes([byte]) for byte in token]
    while len(symbols) > 2:
        ranks = [rank_of.get(left + right, limit) for left, right in pairwise(symbols)]
        index = ranks.index(min(ranks))
        if ranks[index] >= limit:
            break
        symbols[index : index + 2] = [symbols[index] + symbols[index + 1]]
    return symbols


def _parse_line(line: str, where: str) -> tuple[bytes, int]:
    try:
        word, rank = line.split(" ")
        return base64.b64decode(word, validate=True), int(rank)
    except (ValueError, binascii.Error) as error:
        raise TokenizerError(f"{where}: expected a base64 token, a space and its rank, got {line!r}") from error
