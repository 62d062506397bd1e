"""GPT-2's printable alphabet: one visible character for each byte, so that any token is a word in a text file.

Bytes that Latin-1 shows stand for themselves; the others, in order, are U+0100, U+0101, ... A space is thus U+0120.

    >>> to_printable(b"a b") == "a\u0120b"
    True
"""

_VISIBLE = (*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]
_TO_PRINTABLE = {byte: 256 + index for index, byte in enumerate(_HIDDEN)}
# Latin-1 maps each byte to itself; bytes outside the alphabet are mapped to characters that Latin-1 cannot encode.
_FROM_PRINTABLE = {byte: 0xFFFF for byte in _HIDDEN} | {code: byte for byte, code in _TO_PRINTABLE.items()}


def to_printable(token: bytes) -> str:
    """`token` in the alphabet."""
    return token.decode("latin-1").translate(_TO_PRINTABLE)


def from_printable(word: str) -> bytes | None:
    """The bytes that `word` stands for in the alphabet; None if a character is not in it."""
    try:
        return word.translate(_FROM_PRINTABLE).encode("latin-1")
    except UnicodeEncodeError:
        return None
