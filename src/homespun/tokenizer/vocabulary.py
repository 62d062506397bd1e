"""The vocabulary that training makes: special tokens, the 256 bytes, merged tokens; or an existing one, extended."""

from collections.abc import Collection, Mapping, Sequence

from homespun.errors import ConfigError, TokenizerError
from homespun.tokenizer.config import NUM_BYTES
from homespun.tokenizer.tokenizer import Tokenizer


def initial_vocab(special_tokens: Sequence[str]) -> dict[int, bytes]:
    """The vocabulary before the first merge: special tokens, then the 256 bytes."""
    return dict(enumerate([*(name.encode() for name in special_tokens), *(bytes([byte]) for byte in range(NUM_BYTES))]))


def grow_vocab(
    vocab: Mapping[int, bytes], special_ids: Collection[int], merges: Sequence[tuple[bytes, bytes]]
) -> dict[int, bytes]:
    """Append the tokens that `merges` make to `vocab`, except those that are ordinary tokens already."""
    ordinary = {token for id_, token in vocab.items() if id_ not in special_ids}
    # Merges already have the bytes of most tokens, which may be as long as the text: share the objects.
    shared = {token: token for merge in merges for token in merge}
    merged = dict.fromkeys(shared.get(left + right) or left + right for left, right in merges)
    added = [token for token in merged if token not in ordinary]
    return dict(vocab) | dict(enumerate(added, start=max(vocab) + 1))


def check_can_be_extended(tokenizer: Tokenizer, vocab_size: int, special_tokens: Sequence[str]) -> None:
    """Refuse to grow a tokenizer to `vocab_size` where that cannot keep its ids and its special tokens.

    Raises:
        ConfigError: it has more tokens already, or other special tokens.
        TokenizerError: it lacks a single byte, so that texts may have no tokens to merge.
    """
    if tokenizer.vocab_size > vocab_size:
        raise ConfigError(
            f"vocab_size = {vocab_size} is less than the {tokenizer.vocab_size} ids of the tokenizer to extend; "
            "ask for more"
        )
    if list(tokenizer.special_tokens) != list(special_tokens):
        raise ConfigError(
            f"special_tokens = {list(special_tokens)} are not those of the tokenizer to extend, "
            f"{list(tokenizer.special_tokens)}; give the same"
        )
    tokens = set(tokenizer.vocab.values())
    missing = next((byte for byte in range(NUM_BYTES) if bytes([byte]) not in tokens), None)
    if missing is not None:
        raise TokenizerError(
            f"the tokenizer to extend has no token for the byte 0x{missing:02X}; only a vocabulary with all 256 single "
            "bytes can be extended"
        )
