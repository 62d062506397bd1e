"""UTF-8 to text, refusing what is not UTF-8 with the place where it stands."""

import codecs

from homespun.corpus.inputs import InputFile
from homespun.errors import DataError


def decode_at(file: InputFile, data: bytes, offset: int) -> str:
    """The text of `data`, which stands `offset` bytes into the file's (decompressed) text.

    Raises:
        DataError: it is not UTF-8; with the byte offset in the file.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _invalid_utf8(file, error, offset) from error


class Utf8Decoder:
    """Decodes a file whose bytes arrive in pieces, cut anywhere."""

    def __init__(self, file: InputFile, offset: int = 0) -> None:
        self._file = file
        self._offset = offset  # of the first byte not decoded yet
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def decode(self, data: bytes, *, is_last: bool = False) -> str:
        """The text of `data` and of what was left over before, up to the last whole character.

        Raises:
            DataError: it is not UTF-8, or `is_last` and a character is not complete; with the byte offset in the file.
        """
        num_held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final=is_last)
        except UnicodeDecodeError as error:
            raise _invalid_utf8(self._file, error, self._offset) from error
        self._offset += num_held + len(data) - len(self._decoder.getstate()[0])
        return text


def _invalid_utf8(file: InputFile, error: UnicodeDecodeError, offset: int) -> DataError:
    return DataError(
        f"{file}: invalid UTF-8 at byte offset {offset + error.start} "
        f"(0x{error.object[error.start]:02x}: {error.reason}); convert the file to UTF-8"
    )
