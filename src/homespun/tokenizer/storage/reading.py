"""Reading a tokenizer's files with errors that name the file, the place and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from homespun.errors import ConfigError, TokenizerError
from homespun.files import check_is_file
from homespun.typed_json import parse_json


def read_utf8(path: Path, what: str) -> str:
    """The text of a file that should be `what`, such as "a list of merges"; line ends as they are.

    Raises:
        MissingFileError: it does not exist.
        DataError: it is a directory.
        TokenizerError: it is not UTF-8.
    """
    check_is_file(path, what, "name a directory that `homespun tokenizer train` wrote, or GPT-2's two files")
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(
            f"{path}: byte {error.start} is not UTF-8; expected {what}; restore the file or train the tokenizer again"
        ) from error


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a file; `TokenizerError` for a duplicate key or anything else. Otherwise as `read_utf8`."""

    def refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for key in values if keys.count(key) > 1)
            raise TokenizerError(f"{path}: the key {repeated!r} stands twice; keep one of them")
        return values

    text = read_utf8(path, what)
    try:
        values = parse_json(text, refuse_repeated)
    except TokenizerError:
        raise
    except ValueError as error:
        raise TokenizerError(
            f"{path}: not valid JSON ({error}); expected {what}; restore the file or train the tokenizer again"
        ) from error
    if not isinstance(values, dict):
        raise TokenizerError(f"{path}: expected {what}, a JSON object; got {type(values).__name__}")
    return values


@contextmanager
def errors_about(where: Path | str) -> Iterator[None]:
    """Prefix a file or key to the message of an error in the content read from it."""
    try:
        yield
    except (TokenizerError, ConfigError) as error:
        raise TokenizerError(f"{where}: {error}") from error
