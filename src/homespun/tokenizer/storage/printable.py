"""GPT-2's printable alphabet: one visible character for each byte, so that any token is a word in a text file.

Bytes that Latin-1 shows stand for themselves; the others, in order, are U+0100, U+0101, ... A space is thus U+0120.

    >>> to_printable(b"a b") == "a\u0120b"
    True
"""

_VISIBLE = (*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]
_CHARACTER_OF = {byte: chr(byte) for byte in _VISIBLE} | {byte: chr(256 + i) for i, byte in enumerate(_HIDDEN)}
_BYTE_OF = {character: byte for byte, character in _CHARACTER_OF.items()}


def to_printable(token: bytes) -> str:
    """`token` in the alphabet."""
    return "".join([_CHARACTER_OF[byte] for byte in token])


def from_printable(word: str) -> bytes | None:
    """The bytes that `word` spells in the alphabet, or None where a character is not in it."""
    try:
        return bytes([_BYTE_OF[character] for character in word])
    except KeyError:
        return None
