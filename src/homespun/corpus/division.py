"""Divide the files of a corpus into file ranges that can be tokenized independently of each other."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from homespun import _native
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import Source
from homespun.errors import DataError


@dataclass(frozen=True)
class FileRange:
    """Bytes of an input file, as stored, whose tokens do not depend on what precedes or follows them."""

    file: InputFile
    start: int
    end: int
    """The offset after the last byte."""

    @property
    def num_bytes(self) -> int:
        """Its size as stored, compressed or not."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.file} (bytes {self.start:,} to {self.end:,})"


def whole_file(file: InputFile, num_bytes: int | None = None) -> FileRange:
    """Return the range of all its bytes, `num_bytes` if that is known.

    Raises:
        DataError: it is empty.
        HomespunError: as `InputFile.state`, where the size is not known.
    """
    end = file.state().num_bytes if num_bytes is None else num_bytes
    if not end:
        raise DataError(f"{file}: the file is empty; expected text of at least one character")
    return FileRange(file, 0, end)


def divide(source: Source, range_bytes: int, *, special_tokens: Sequence[str], pattern: str) -> list[list[FileRange]]:
    """Divide a corpus into lists of file ranges of about `range_bytes`, all of about equal size.

    Joined in order, the lists cover every byte once. Plain local text is cut at the first offset after an ideal
    boundary at which neither a pre-token nor a special token is cut. A file of any other kind (compressed, JSON lines,
    parquet, remote) cannot be entered in the middle: it belongs whole to the list that its first byte falls into. The
    division depends on the files' sizes and text alone.

    Args:
        source: The inputs.
        range_bytes: Bytes of the files as stored; a gigabyte for a large corpus.
        special_tokens: What text is cut at before it is split into pre-tokens.
        pattern: The regular expression that splits text into pre-tokens.

    Raises:
        DataError: a file is empty.
    """
    total = source.num_bytes
    num_ranges = max(1, -(-total // range_bytes))
    # The last bound is the end of the corpus, and ends the last list whatever rounding does.
    bounds = [total * number // num_ranges for number in range(1, num_ranges + 1)]
    lists: list[list[FileRange]] = [[] for _ in bounds]
    first = 0  # offset of the file in the corpus
    for file, state in zip(source.files, source.states, strict=True):
        whole = whole_file(file, state.num_bytes)
        # bisect_left after the byte: a bound belongs to the list that it begins.
        number = bisect_left(bounds, first + 1)
        if file.plain_path is None:
            lists[number].append(whole)
        else:
            start = 0
            while start < whole.end:
                bound = bounds[number] - first
                # The cut may lie far behind its bound, even beyond the next bounds, whose lists are then empty.
                if bound > start:
                    end = whole.end
                    if bound < end:
                        end = _native.first_cut(file.plain_path, bound, special_tokens, pattern)
                    lists[number].append(FileRange(file, start, end))
                    start = end
                number += 1
        first += whole.end
    return [ranges for ranges in lists if ranges]
