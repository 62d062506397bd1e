"""A bounded, evenly spaced sample of a text of any size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from homespun.corpus.inputs import InputFile
from homespun.corpus.reader import read_batches
from homespun.progress import ProgressCallback, ignore_progress

_READ_BYTES = 1 << 20
_NUM_EXCERPTS = 64


@dataclass(frozen=True)
class Excerpt:
    """A document, or consecutive characters of a long one."""

    where: str
    text: str


def take_sample(
    files: Sequence[InputFile],
    num_bytes: int,
    *,
    separator: str,
    text_key: str,
    on_progress: ProgressCallback = ignore_progress,
) -> list[Excerpt]:
    """Return at most about `num_bytes` of text, evenly spaced over the files; all of it if the text is shorter.

    Every n-th excerpt is kept, where n is the smallest power of two for which they fit: the same text gives the same
    sample. Documents up to a 64th of the sample are excerpts, longer ones are divided at the ends of lines
    or words. The text is read once, from start to end.

    Raises:
        MissingFileError: a file does not exist.
        DataError: a file is damaged, or not what its name says.
    """
    kept: list[Excerpt] = []
    stride, kept_bytes = 1, 0
    excerpts = _excerpts(files, max(1, num_bytes // _NUM_EXCERPTS), separator, text_key, on_progress)
    for index, excerpt in enumerate(excerpts):
        if index % stride:
            continue
        kept.append(excerpt)
        kept_bytes += len(excerpt.text.encode())
        while kept_bytes > num_bytes and len(kept) > 1:
            kept = kept[::2]
            stride *= 2
            kept_bytes = sum(len(excerpt.text.encode()) for excerpt in kept)
    return kept


def _excerpts(
    files: Sequence[InputFile], longest: int, separator: str, text_key: str, on_progress: ProgressCallback
) -> Iterator[Excerpt]:
    total, read_before = sum(file.state().num_bytes for file in files), 0
    for file in files:
        number, consumed_bytes = 1, 0
        for batch in read_batches(file, separator=separator, text_key=text_key, batch_bytes=_READ_BYTES):
            consumed_bytes = batch.consumed_bytes
            on_progress(read_before + consumed_bytes, total)
            for document in batch.documents:
                yield from _cut(document, longest, f"{file}: document {number}")
                number += 1
            number -= batch.continues
        read_before += consumed_bytes


def _cut(text: str, longest: int, where: str) -> Iterator[Excerpt]:
    """Divide `text` into excerpts of at most `longest` characters, none of them empty."""
    start = 0
    while start < len(text):
        end = len(text)
        if end - start > longest:
            end = start + longest
            # The line feed or space ends its excerpt.
            found = text.rfind("\n", start, end) + 1 or text.rfind(" ", start, end) + 1
            end = found or end
        yield Excerpt(where, text[start:end])
        start = end
