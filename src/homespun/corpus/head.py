"""The first documents of a text, as a text of its own."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from homespun.corpus.decoding import READ_BYTES
from homespun.corpus.inputs import InputFile, as_input
from homespun.corpus.reader import read_batches
from homespun.errors import ConfigError, DataError
from homespun.files import check_is_file, sha256_of_file, write_atomically


@dataclass(frozen=True, kw_only=True)
class Head:
    """What `write_head` wrote."""

    num_documents: int
    num_bytes: int
    """Separators included."""
    sha256: str
    is_whole: bool
    """Whether the source has no more documents."""


def write_head(
    source: str | PathLike[str] | InputFile,
    target: Path,
    *,
    max_bytes: int,
    separator: str = "<|endoftext|>",
    text_key: str = "text",
    overwrite: bool = False,
) -> Head:
    r"""Write the first documents of `source` to `target`, as many as fit whole into `max_bytes`.

    The head of a text is its first bytes, up to the end of a separator: "a<|endoftext|>\nb<|endoftext|>\nc" with
    `max_bytes=32` gives "a<|endoftext|>\nb<|endoftext|>". The documents of JSON lines and parquet become plain text, a
    separator after each. Memory is bounded by `max_bytes`, whatever the size of `source`; a file that is behind a URL
    or compressed is read no further than that.

    Args:
        source: A text, .jsonl or .parquet file, as `read_documents` takes.
        target: The file to write, plain text.
        max_bytes: Size of `target`, separators included.
        separator: The text between documents.
        text_key: The key of a JSON line's text, or the column of a parquet file's.
        overwrite: Replace a `target` that has another text.

    Raises:
        ConfigError: the first document does not fit, the separator is empty, or `target` is named like a file of
            another kind.
        DataError: `target` is `source` or has another text, or a document of JSON lines or parquet has the separator
            in it.
        HomespunError: also as `read_documents`.
        StorageError: the disk is full or refuses to be written to.
    """
    source = as_input(source)
    if InputFile(str(target)).plain_path is None:
        raise ConfigError(f"{target}: plain text is written, but the name says another kind of file; choose FILE.txt")
    if target.exists():
        check_is_file(target, "a file to write", "name a file, not its directory")
    if source.path is not None and target.exists() and target.samefile(source.path):
        raise DataError(f"{target}: is the input itself; choose another file to write")
    digest, num_documents, num_bytes, is_whole = hashlib.sha256(), 0, 0, True
    # Before the target is opened, so that bad input leaves nothing behind.
    documents = _documents_up_to(source, separator, text_key, max_bytes)
    first = next(documents)
    if len(first) > max_bytes:
        raise ConfigError(
            f"{source}: the first document has more than {max_bytes:,} bytes, separator included; allow more bytes, "
            f"or check that {separator!r} is what separates documents"
        )
    with write_atomically(target) as file:
        while first:
            file.write(first)
            digest.update(first)
            num_documents += 1
            num_bytes += len(first)
            first = next(documents, b"")
            if num_bytes + len(first) > max_bytes:
                is_whole = False
                break
        if target.exists() and not overwrite and sha256_of_file(target) != digest.hexdigest():
            raise DataError(
                f"{target}: has another text than the first {num_documents:,} documents of {source}; data sets may "
                "depend on it: choose another file, or replace it with --force"
            )
    return Head(num_documents=num_documents, num_bytes=num_bytes, sha256=digest.hexdigest(), is_whole=is_whole)


def _documents_up_to(source: InputFile, separator: str, text_key: str, max_bytes: int) -> Iterator[bytes]:
    """Yield the documents with their separators; one that is longer than `max_bytes` is cut short, and is the last."""
    held = bytearray()
    for batch in read_batches(source, separator=separator, text_key=text_key, batch_bytes=READ_BYTES):
        for index, document in enumerate(batch.documents):
            is_last = index == len(batch.documents) - 1
            # Also where they overlap: "xa" with the separator "aa" is "xaaa", which is "x" and "a".
            if source.kind != "text" and (document + separator).find(separator) < len(document):
                raise DataError(
                    f"{source}: a document has the separator {separator!r} in it, and would become two; "
                    "choose another --separator"
                )
            held += document.encode()
            if is_last and batch.continues:
                break
            yield bytes(held) + (separator.encode() if batch.is_closed or not is_last else b"")
            held.clear()
        if len(held) > max_bytes:
            yield bytes(held)
            return
