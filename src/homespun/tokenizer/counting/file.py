"""Counts files: what their headers say, how they are read and added up.

The bytes are written and read by the Rust core; `docs/design/formats.md` has the format.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

from homespun import _native
from homespun.errors import ConfigError, DataError
from homespun.files import atomic_path, check_is_file
from homespun.typed_json import build_from_json, parse_json

SUFFIX = ".counts"

_REMEDY = "count again with `homespun tokenizer count`"


@dataclass(frozen=True, kw_only=True, order=True)
class CountedSource:
    """A set of inputs that was counted."""

    fingerprint: str
    """The `Source.fingerprint` of the inputs."""
    text_key: str
    """Where the text is in JSON lines and parquet."""


@dataclass(frozen=True, kw_only=True)
class CountsHeader:
    """Everything that determines the counts of a file.

    Raises:
        ValueError: the sources are not in ascending order, or there are none.
    """

    pattern: str
    """The regular expression that split the text."""
    special_tokens: list[str]
    unicode: str
    """The Unicode version of the character classes in the pattern."""
    sources: list[CountedSource]
    """In ascending order, without duplicates."""

    def __post_init__(self) -> None:
        if not self.sources or self.sources != sorted(set(self.sources)):
            raise ValueError(f"expected sources in ascending order, none twice, got {self.sources!r:.200}")

    def to_bytes(self) -> bytes:
        """Return the header as it is stored: canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @property
    def settings(self) -> dict[str, str | list[str]]:
        """What must be equal in counts that are added up."""
        return {"pattern": self.pattern, "special_tokens": self.special_tokens, "unicode": self.unicode}


@dataclass(frozen=True)
class CountsSums:
    """The sums of a counts file."""

    num_pretokens: int
    """Distinct pre-tokens."""
    num_bytes: int
    """Bytes of all distinct pre-tokens together."""
    total: int
    """Occurrences of all pre-tokens."""


def read_header(path: Path) -> CountsHeader:
    """Return the header of a counts file; damage after it is noticed only when the counts are read.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is not a counts file, or one of another version.
    """
    check_is_file(path, "a counts file", "make one with `homespun tokenizer count`")
    content = _native.read_counts_header(path)
    header = None
    with suppress(ValueError):
        header = build_from_json(CountsHeader, parse_json(content))
    if header is None or header.to_bytes() != content:
        raise DataError(f"{path}: its header says {content[:80]!r}, which is not what is expected there; {_REMEDY}")
    return header


def read_counts(
    paths: Sequence[Path], *, max_memory_bytes: int | None = None, spill_dir: str | PathLike[str] | None = None
) -> _native.PretokenCounts:
    """Return the sum of counts files.

    Args:
        paths: The files.
        max_memory_bytes: Limit of the memory for the counts and for reading them; None: no limit.
        spill_dir: Where many files are first merged into few; None: the system's directory for temporary files.

    Raises:
        ConfigError: the counts do not fit into the memory.
        DataError: a file is damaged. Otherwise as `add_headers`.
    """
    add_headers(paths)
    return _native.read_counts(paths, spill_dir or tempfile.gettempdir(), max_memory_bytes)


def merge_counts_files(paths: Sequence[Path], out: Path) -> CountsSums:
    """Write the sum of counts files to another, in memory that does not depend on their size; raises as `read_counts`.

    Raises:
        StorageError: the disk is full or refuses to be written to.
    """
    header = add_headers(paths)
    with atomic_path(out) as temporary:
        return CountsSums(*_native.merge_counts_files(paths, out.parent, temporary, header.to_bytes()))


def add_headers(paths: Sequence[Path]) -> CountsHeader:
    """Return the header of the sum of counts files; only their headers are read.

    Raises:
        MissingFileError: there is no such file.
        DataError: a file is of another kind or version, or two have different settings or the same inputs.
        ConfigError: no file is named.
    """
    if not paths:
        raise ConfigError("there are no counts files; name at least one")
    first = read_header(paths[0])
    if first.unicode != _native.UNICODE_VERSION:
        raise DataError(
            f"{paths[0]}: counted with the character classes of Unicode {first.unicode}, expected "
            f"{_native.UNICODE_VERSION}; {_REMEDY}"
        )
    found_in: dict[CountedSource, Path] = {}
    for path in paths:
        header = read_header(path)
        for name, value in header.settings.items():
            if value != first.settings[name]:
                raise DataError(
                    f"{path}: counted with {name} {value!r}, but {paths[0]} with {first.settings[name]!r}; "
                    "counts can be added up only where these are the same"
                )
        for source in header.sources:
            if source in found_in:
                raise DataError(
                    f"{path}: counts the inputs {source.fingerprint[:8]}, as {found_in[source]} does; give each once"
                )
            found_in[source] = path
    return CountsHeader(
        pattern=first.pattern, special_tokens=first.special_tokens, unicode=first.unicode, sources=sorted(found_in)
    )
