"""The manifest of a token data set: what its shards hold and what they were made from.

manifest.json       `Manifest`: written last, so that a directory with one is a finished data set
shard-00000.npy     token ids, see `homespun.data.shards`
token-bytes.npy     how many bytes of text each id spells (uint32), so that bits per byte need no tokenizer
progress.json       `Progress`: only while the data set is being made
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from homespun.data.shards import REMEDY
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError, MissingFileError
from homespun.files import write_text_atomically
from homespun.typed_json import read_json

MANIFEST_NAME = "manifest.json"
PROGRESS_NAME = "progress.json"
TOKEN_BYTES_NAME = "token-bytes.npy"
VERSION = 2
PROGRESS_VERSION = 3

_UINT16_IDS = 1 << 16

_Part = TypeVar("_Part")


def id_dtype(vocab_size: int) -> np.dtype:
    """The smallest of uint16 and uint32 that holds every id."""
    return np.dtype("<u2" if vocab_size <= _UINT16_IDS else "<u4")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Everything that decides which ids a data set holds and how they are laid out."""

    tokenizer_fingerprint: str
    vocab_size: int
    """One more than the largest id there can be."""
    separator: str
    """The special token between documents."""
    separator_id: int
    text_key: str
    """The key of the text in JSON lines."""
    shard_tokens: int
    """Tokens in every shard but the last."""
    source: str
    """A fingerprint of the input files."""

    @property
    def dtype(self) -> np.dtype:
        """The smallest of uint16 and uint32 that holds every id."""
        return id_dtype(self.vocab_size)


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """What one shard holds."""

    num_tokens: int
    num_bytes: int
    """Bytes of text that its tokens spell, separators included."""
    num_separators: int
    sha256: str
    """Of its ids as they lie in the file, without the header."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where in the inputs the shards made so far end."""

    input_index: int
    offset: int
    """Bytes of (decompressed) text before the place from which to go on: in plain text one that no token crosses,
    elsewhere the beginning of a document."""
    line: int
    """The number of that document's line, in JSON lines."""
    num_done: int
    """Tokens from there on that stand in finished shards already."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A data set that is being made."""

    version: int
    origin: Origin
    modified: list[str]
    """`InputState.modified` of each input."""
    shards: list[ShardRecord]
    cursor: Cursor


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A finished data set."""

    version: int
    origin: Origin
    num_tokens: int
    num_bytes: int
    """Bytes of text, separators included."""
    num_separators: int
    token_bytes_sha256: str
    shards: list[ShardRecord]
    entropy: CorpusEntropy | None
    """Exact bits of the same documents; null where the source of the text is unknown."""


def shard_path(directory: Path, index: int) -> Path:
    """The file of the shard number `index`."""
    return directory / f"shard-{index:05d}.npy"


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest of the data set at `directory`.

    Raises:
        MissingFileError: there is no finished data set.
        DataError: the manifest is damaged, contradicts itself, or is of another version.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        reason = (
            "encoding was interrupted; run the same command again"
            if (directory / PROGRESS_NAME).exists()
            else ("make one with `homespun prepare` or `homespun tokenizer encode`")
        )
        raise MissingFileError(f"{directory}: not a finished token data set (it has no {MANIFEST_NAME}); {reason}")
    manifest = _read(path, Manifest, VERSION)
    sums = {
        "num_tokens": sum(shard.num_tokens for shard in manifest.shards),
        "num_bytes": sum(shard.num_bytes for shard in manifest.shards),
        "num_separators": sum(shard.num_separators for shard in manifest.shards),
    }
    for key, total in sums.items():
        if getattr(manifest, key) != total:
            raise DataError(f"{path}: {key} is {getattr(manifest, key):,}, but the shards have {total:,}; {REMEDY}")
    lengths = [shard.num_tokens for shard in manifest.shards]
    size = manifest.origin.shard_tokens
    if not lengths or any(length != size for length in lengths[:-1]) or not 0 < lengths[-1] <= size:
        raise DataError(f"{path}: every shard but the last must hold {size:,} tokens; {REMEDY}")
    if not 0 <= manifest.origin.separator_id < manifest.origin.vocab_size:
        raise DataError(
            f"{path}: the separator's id {manifest.origin.separator_id:,} is outside the vocabulary of "
            f"{manifest.origin.vocab_size:,} ids; {REMEDY}"
        )
    return manifest


def read_progress(directory: Path) -> Progress | None:
    """How far an interrupted encoding came, or None where there is no such thing.

    Raises:
        DataError: the file is damaged or of another version.
    """
    path = directory / PROGRESS_NAME
    return _read(path, Progress, PROGRESS_VERSION) if path.is_file() else None


def write_part(directory: Path, part: Manifest | Progress) -> None:
    """Write a manifest or the progress towards one, atomically."""
    name = MANIFEST_NAME if isinstance(part, Manifest) else PROGRESS_NAME
    write_text_atomically(directory / name, json.dumps(asdict(part), indent=1) + "\n")


def _read(path: Path, kind: type[_Part], version: int) -> _Part:
    try:
        return read_json(path, kind, version=version)
    except ValueError as error:
        raise DataError(f"{error}; {REMEDY}") from error
