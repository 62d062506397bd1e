"""Errors that name the argument which the core refused: the core itself knows only a type or a position."""

from collections.abc import Sequence

from homespun.errors import ArgumentTypeError, HomespunError, TokenizerError


def text_error(text: object, error: UnicodeEncodeError | TypeError, where: str = "") -> HomespunError:
    """Return the error of a text that the core refused with `error`."""
    if isinstance(error, UnicodeEncodeError):
        return TokenizerError(
            f"{where}index {error.start} of the text is the lone surrogate {error.object[error.start]!r}, which is no "
            "character; read the text as UTF-8, or replace it with text.encode('utf-8', 'replace').decode()"
        )
    if isinstance(text, str):
        return ArgumentTypeError(f"{where}{error}")
    remedy = "decode the bytes first" if isinstance(text, bytes) else "`encode_batch` takes a list of texts"
    return ArgumentTypeError(f"{where}text = {text!r:.80} is of type {type(text).__name__}, expected str; {remedy}")


def batch_error(texts: Sequence[str], error: UnicodeEncodeError | TypeError) -> HomespunError:
    """Return the error of the first of `texts` that the core refused with `error`."""
    if isinstance(texts, str | bytes):
        return ArgumentTypeError(f"texts = {texts!r:.80} is one text, expected a list of them")
    bad = error.object if isinstance(error, UnicodeEncodeError) else None
    number = next((i for i, text in enumerate(texts) if text == bad or not isinstance(text, str)), 0)
    return text_error(texts[number], error, f"texts[{number}]: ")
