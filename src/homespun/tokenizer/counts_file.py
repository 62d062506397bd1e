"""Files of counts: what their headers say, and what they add up to.

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
from homespun.tokenizer.parts import Shard
from homespun.typed_json import build_from_json, parse_json

SUFFIX = ".counts"

_REMEDY = "count again with `homespun tokenizer count`"


@dataclass(frozen=True, kw_only=True, order=True)
class CountedPart:
    """What was counted: a shard of some inputs.

    Raises:
        ConfigError: there is no such shard.
    """

    source: str
    """A fingerprint of the inputs, all of them."""
    text_key: str
    """Where the text is in JSON lines and parquet."""
    shard: int
    """From 1."""
    num_shards: int

    def __post_init__(self) -> None:
        Shard(self.shard, self.num_shards)

    def __str__(self) -> str:
        return f"shard {Shard(self.shard, self.num_shards)} of the inputs {self.source[:8]}"


@dataclass(frozen=True, kw_only=True)
class CountsHeader:
    """Everything that decides the counts of a file.

    Raises:
        ValueError: its parts are not in their order, or there are none.
    """

    pattern: str
    """The regular expression that text was cut by."""
    special_tokens: list[str]
    unicode: str
    """The version whose classes of characters the pattern means."""
    parts: list[CountedPart]
    """In ascending order, none twice."""

    def __post_init__(self) -> None:
        if not self.parts or self.parts != sorted(set(self.parts)):
            raise ValueError(f"expected parts in ascending order, none twice, got {self.parts!r:.200}")

    def to_bytes(self) -> bytes:
        """As it stands in a file."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @property
    def settings(self) -> dict[str, str | list[str]]:
        """What must be the same in counts that are added up."""
        return {"pattern": self.pattern, "special_tokens": self.special_tokens, "unicode": self.unicode}


@dataclass(frozen=True)
class CountedCorpus:
    """Counts, and what they are counts of."""

    header: CountsHeader
    pretokens: _native.PretokenCounts


@dataclass(frozen=True)
class CountsSums:
    """What a file of counts adds up to."""

    num_pretokens: int
    """Distinct ones."""
    num_bytes: int
    """Of all distinct pre-tokens together."""
    total: int
    """Occurrences."""


def read_header(path: Path) -> CountsHeader:
    """What a file of counts says about itself; whether it is whole is seen when it is read.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is no file of counts, or of another version.
    """
    check_is_file(path, "a file of counts", "make one with `homespun tokenizer count`")
    content = _native.read_counts_header(path)
    header = None
    with suppress(ValueError):
        header = build_from_json(CountsHeader, parse_json(content))
    if header is None or header.to_bytes() != content:
        raise DataError(f"{path}: its header says {content[:80]!r}, which is not what is expected there; {_REMEDY}")
    return header


def check_header(path: Path, there: CountsHeader, asked: CountsHeader) -> None:
    """Refuse counts at `path` that are not what is asked for.

    Raises:
        DataError: naming the first difference.
    """
    (old,), (new,) = there.parts, asked.parts
    differences = {
        **{name: (there.settings[name], asked.settings[name]) for name in asked.settings},
        "text_key": (old.text_key, new.text_key),
        "shard": (f"{old.shard}/{old.num_shards}", f"{new.shard}/{new.num_shards}"),
        "inputs": (old.source, new.source),
    }
    for name, (before, now) in differences.items():
        if before != now:
            raise DataError(
                f"{path}: was counted with {name} {before!r}, not {now!r}; delete it to count anew, "
                "or choose another name"
            )


def read_counts(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    max_memory_bytes: int | None = None,
    spill_dir: str | PathLike[str] | None = None,
) -> CountedCorpus:
    """The sum of files of counts that together cover their inputs.

    Args:
        paths: One file or more; of inputs that were counted in shards, every shard once.
        max_memory_bytes: What the counts may take, and what reading takes beside them.
        spill_dir: Where many files are first merged into few; the system's place for temporary files unless given.

    Raises:
        MissingFileError: there is no such file.
        DataError: a file is damaged, or of another version; they were counted with different settings, one twice, or
            one is missing.
        ConfigError: no file is named, or the counts do not fit into the memory.
    """
    named = [Path(paths)] if isinstance(paths, str | PathLike) else [Path(path) for path in paths]
    header = add_headers(named)
    _check_is_complete(header)
    return CountedCorpus(header, _native.read_counts(named, spill_dir or tempfile.gettempdir(), max_memory_bytes))


def merge_counts_files(paths: Sequence[str | PathLike[str]], out: str | PathLike[str]) -> CountsSums:
    """Write the sum of files of counts into another, in memory that does not depend on their size.

    Raises:
        MissingFileError: there is no such file.
        DataError: a file is damaged, or of another version; they were counted with different settings, or one twice.
        ConfigError: no file is named.
        StorageError: the disk is full or refuses to be written to.
    """
    named, out = [Path(path) for path in paths], Path(out)
    header = add_headers(named)
    with atomic_path(out) as temporary:
        return CountsSums(*_native.merge_counts_files(named, out.parent, temporary, header.to_bytes()))


def add_headers(paths: Sequence[Path]) -> CountsHeader:
    """The header of the sum of files of counts, of which no more is read.

    Raises:
        MissingFileError: there is no such file.
        DataError: a file is of another kind or version; they were counted with different settings, or one twice.
        ConfigError: no file is named.
    """
    if not paths:
        raise ConfigError("there are no files of counts; name at least one")
    first = read_header(paths[0])
    if first.unicode != _native.UNICODE_VERSION:
        raise DataError(
            f"{paths[0]}: counted by the characters of Unicode {first.unicode}, expected {_native.UNICODE_VERSION}; "
            f"{_REMEDY}"
        )
    places: dict[CountedPart, Path] = {}
    for path in paths:
        header = read_header(path)
        for name, value in header.settings.items():
            if value != first.settings[name]:
                raise DataError(
                    f"{path}: counted with {name} {value!r}, but {paths[0]} with {first.settings[name]!r}; "
                    "counts can be added up only where these are the same"
                )
        for part in header.parts:
            if part in places:
                raise DataError(f"{path}: holds {part}, as {places[part]} does; give each once")
            places[part] = path
    return CountsHeader(
        pattern=first.pattern, special_tokens=first.special_tokens, unicode=first.unicode, parts=sorted(places)
    )


def _check_is_complete(header: CountsHeader) -> None:
    """Refuse inputs of which a shard is missing.

    Raises:
        DataError: naming what is.
    """
    sources: dict[tuple[str, str], dict[int, set[int]]] = {}
    for part in header.parts:
        divisions = sources.setdefault((part.source, part.text_key), {})
        divisions.setdefault(part.num_shards, set()).add(part.shard)
    for (source, _), divisions in sources.items():
        (num_shards, numbers), *others = divisions.items()
        if others:
            raise DataError(
                f"the inputs {source[:8]} were counted in {num_shards} shards and in {others[0][0]}; "
                "give the shards of one division"
            )
        if missing := sorted({*range(1, num_shards + 1)} - numbers):
            raise DataError(
                f"of the inputs {source[:8]}, counted in {num_shards} shards, {_list(missing)} missing; "
                "count it with --shard, or name its file"
            )


def _list(missing: Sequence[int]) -> str:
    shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
    return f"shard {shown} is" if len(missing) == 1 else f"shards {shown} are"
