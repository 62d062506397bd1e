"""Divide the files of a corpus into file ranges that can be tokenized independently of each other."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from homespun import _native
from homespun.corpus.inputs import InputFile
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


def num_ranges_of(num_bytes: int, range_bytes: int) -> int:
    """Return into how many ranges of about `range_bytes` to divide a corpus; at least one."""
    return max(1, -(-num_bytes // range_bytes))


def divide(
    files: Sequence[InputFile],
    num_ranges: int,
    *,
    special_tokens: Sequence[str],
    pattern: str,
    file_bytes: Sequence[int] | None = None,
) -> list[list[FileRange]]:
    """Divide `files`, one after another, into at most `num_ranges` lists of ranges of about equal size, none empty.

    Joined in order, the lists cover every byte once. Plain local text is cut at the first offset after an ideal
    boundary at which neither a pre-token nor a special token is cut. A file of any other kind (compressed, JSON lines,
    parquet, remote) cannot be entered in the middle: it belongs whole to the list that its first byte falls into, so
    that there may be fewer lists than asked for. The division depends on the files' sizes and text alone.

    Args:
        files: The inputs, in order.
        num_ranges: The number of lists; a large corpus may take one for every gigabyte.
        special_tokens: What text is cut at before it is split into pre-tokens.
        pattern: The regular expression that splits text into pre-tokens.
        file_bytes: The size of each file as stored, if known; None looks it up.

    Raises:
        DataError: a file is empty.
        MissingFileError: a file does not exist.
    """
    sizes = [file.state().num_bytes for file in files] if file_bytes is None else file_bytes
    total = sum(sizes)
    # The last bound is the end of the corpus, and ends the last list whatever rounding does.
    bounds = [total * number // num_ranges for number in range(1, num_ranges + 1)]
    lists: list[list[FileRange]] = [[] for _ in bounds]
    first = 0  # offset of the file in the corpus
    for file, size in zip(files, sizes, strict=True):
        if not size:
            raise DataError(f"{file}: the file is empty; expected text of at least one character")
        # bisect_left after the byte: a bound belongs to the list that it begins.
        number = bisect_left(bounds, first + 1)
        if file.plain_path is None:
            lists[number].append(FileRange(file, 0, size))
        else:
            start = 0
            while start < size:
                bound = bounds[number] - first
                # The cut may lie far behind its bound, even beyond the next bounds, whose lists are then empty.
                if bound > start:
                    end = size
                    if bound < size:
                        end = _native.first_cut(file.plain_path, bound, special_tokens, pattern)
                    lists[number].append(FileRange(file, start, end))
                    start = end
                number += 1
        first += size
    return [ranges for ranges in lists if ranges]
