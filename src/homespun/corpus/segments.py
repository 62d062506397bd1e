"""A file's documents in order, in memory bounded by a stated size even where one document is longer than it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a document starts in a file."""

    offset: int = 0
    """Bytes of decompressed text before it; 0 in parquet."""
    line: int = 1
    """The number of its line in JSON lines, of its row in parquet; 1 elsewhere."""


@dataclass(frozen=True)
class Batch:
    """Whole documents, one after another."""

    place: Place
    documents: list[str]
    num_bytes: int
    """Bytes of the documents, without separators."""
    is_closed: bool
    """Whether the last one ends in a separator; the others do."""


@dataclass(frozen=True)
class Fragment:
    """A part of a document too long to be held whole, cut anywhere between two characters."""

    place: Place
    """Where the document starts, not the part."""
    text: str
    num_bytes: int
    is_last: bool
    is_closed: bool
    """Whether a separator follows; false for all parts but the last."""
