"""Texts and documents from files of the kinds that corpora come in."""

from collections.abc import Iterator
from os import PathLike

from homespun.corpus.decoding import READ_BYTES, DecompressedFile, decode_utf8
from homespun.corpus.documents import DocumentBatch, split_lines, split_text
from homespun.corpus.inputs import InputFile, as_input
from homespun.corpus.parquet import ParquetRows
from homespun.errors import ConfigError


def read_batches(
    file: str | PathLike[str] | InputFile,
    *,
    separator: str,
    text_key: str,
    batch_bytes: int,
    max_document_bytes: int | None = None,
) -> Iterator[DocumentBatch]:
    """Return a file's documents in batches of about `batch_bytes`; arguments and errors are those of `read_documents`.

    In text, documents are what `text.split(separator)` gives, except that an empty string after a closing separator is
    not a document. In JSON lines every line that is not blank is one, in parquet every row, and each counts as closed.
    JSON lines longer than `max_document_bytes` and larger parquet pages, which are held whole, are refused.
    """
    if not separator:
        raise ConfigError("the separator is empty; name the text between documents, such as <|endoftext|>")
    file = as_input(file)
    match file.kind:
        case "parquet":
            return iter(ParquetRows(file, text_key, batch_bytes, max_document_bytes))
        case "json lines":
            return split_lines(DecompressedFile(file), text_key, batch_bytes, max_document_bytes)
        case "text":
            return split_text(DecompressedFile(file), separator.encode(), batch_bytes)


def read_documents(
    file: str | PathLike[str] | InputFile, *, separator: str = "<|endoftext|>", text_key: str = "text"
) -> Iterator[str]:
    r"""Yield a file's documents one by one, in memory bounded by the longest of them.

    A text file's documents are what is between separators, unchanged: joined with the separator, and one at the
    end where the file has one, they give the file back. "a\n<|endoftext|>\nb" holds "a\n" and "\nb". A .jsonl file's
    documents are the strings under `text_key`, one a line; a .parquet file's those in the column of that name.

    Args:
        file: The path or URL of a text file or .jsonl, either one also as .gz or .zst, or of a .parquet file.
        separator: The text between documents of plain text.
        text_key: The key of a JSON line's text, or the column of a parquet file's.

    Raises:
        ConfigError: the separator is empty.
        MissingFileError: there is no such file.
        DataError: the file is empty, truncated, invalid UTF-8 (with its byte offset) or invalid JSON (with its line).
        DownloadError: it is behind a URL that cannot be read.
        MissingPackageError: it needs a package that is not installed.
    """
    held: list[str] = []
    for batch in read_batches(file, separator=separator, text_key=text_key, batch_bytes=READ_BYTES):
        first, *others = batch.documents
        held.append(first)
        if not batch.continues:
            yield "".join(held)
            yield from others
            held = []


def read_text(file: str | PathLike[str] | InputFile) -> Iterator[str]:
    """Yield a text file's characters in chunks.

    Args:
        file: The path or URL of a text file, plain or .gz or .zst; of a .jsonl file it is the JSON that is read.

    Raises:
        HomespunError: as `read_documents`; offsets are those in the decompressed text.
    """
    chunks = DecompressedFile(as_input(file))
    held, offset = b"", 0
    for data in chunks:
        held += data
        text, num_bytes = decode_utf8(chunks.file, held, offset, is_last=False)
        held, offset = held[num_bytes:], offset + num_bytes
        yield text
    yield decode_utf8(chunks.file, held, offset)[0]
