"""The files of a token data set, and the manifest that makes them one.

manifest.json       `Manifest`: written last, so that a directory with one is a finished data set
shard-00000.npy     token ids, see `homespun.data.shard`
token-bytes.npy     the number of bytes of each id's text (uint32), so that bits per byte need no tokenizer
shard-00000.json    `UnfinishedShard`: only while the data set is being made
.verified.json      sizes and times of the files when they were last verified, see `TokenDataset.verify_once`
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from homespun.data.shard import REMEDY, ShardRecord, id_dtype, shard_path
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError, MissingFileError
from homespun.files import write_text_atomically
from homespun.typed_json import read_json

MANIFEST_NAME = "manifest.json"
TOKEN_BYTES_NAME = "token-bytes.npy"
VERIFIED_NAME = ".verified.json"
VERSION = 3

_Record = TypeVar("_Record")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Everything that decides which ids a data set holds and how they are divided into shards."""

    tokenizer_fingerprint: str
    vocab_size: int
    """One more than the largest id there can be."""
    separator: str
    """The special token between documents."""
    separator_id: int
    text_key: str
    """The key of the text in JSON lines, or its column in parquet."""
    shard_bytes: int
    """About how many bytes of input files a shard covers."""
    source: str
    """A fingerprint of the input files."""

    @property
    def dtype(self) -> np.dtype:
        """The type of the ids."""
        return id_dtype(self.vocab_size)


@dataclass(frozen=True, kw_only=True)
class UnfinishedShard:
    """A finished shard of a data set that is not finished."""

    version: int
    origin: Origin
    modified: str
    """A hash of the times at which the inputs were last changed."""
    shard: ShardRecord


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
    sha256: str
    """Of the other fields, so that damage to any of them is noticed."""

    def with_sha256(self) -> "Manifest":
        """The same manifest with the hash of its other fields."""
        content = {**asdict(self), "sha256": ""}
        return replace(self, sha256=hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())


def total(shards: list[ShardRecord]) -> dict[str, int]:
    """The sums of what the shards hold, by field of a manifest."""
    keys = ("num_tokens", "num_bytes", "num_separators")
    return {key: sum(getattr(shard, key) for shard in shards) for key in keys}


def record_path(directory: Path, index: int) -> Path:
    """The path of the record of the shard number `index` while the data set is being made."""
    return shard_path(directory, index).with_suffix(".json")


def write_record(path: Path, record: Manifest | UnfinishedShard) -> None:
    """Write the JSON of `record`, atomically.

    Raises:
        StorageError: the disk is full or refuses.
    """
    write_text_atomically(path, json.dumps(asdict(record), indent=1) + "\n")


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest of the data set at `directory`.

    Raises:
        MissingFileError: there is no finished data set.
        DataError: the manifest is damaged, contradicts itself, or is of another version.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        remedy = (
            "encoding was interrupted; run the same command again"
            if any(directory.glob("shard-*.json"))
            else "make one with `homespun prepare` or `homespun corpus encode`"
        )
        raise MissingFileError(f"{directory}: not a finished token data set (it has no {MANIFEST_NAME}); {remedy}")
    manifest = _read(path, Manifest)
    for key, expected in total(manifest.shards).items():
        if getattr(manifest, key) != expected:
            raise DataError(f"{path}: {key} is {getattr(manifest, key):,}, but the shards have {expected:,}; {REMEDY}")
    if not manifest.shards or not all(shard.num_tokens for shard in manifest.shards):
        raise DataError(f"{path}: a shard without tokens, or no shard; {REMEDY}")
    if not 0 <= manifest.origin.separator_id < manifest.origin.vocab_size:
        raise DataError(
            f"{path}: the separator's id {manifest.origin.separator_id:,} is outside the vocabulary of "
            f"{manifest.origin.vocab_size:,} ids; {REMEDY}"
        )
    if manifest.sha256 != manifest.with_sha256().sha256:
        raise DataError(f"{path}: altered since it was written: its sha256 is not that of its content; {REMEDY}")
    return manifest


def read_unfinished(path: Path) -> UnfinishedShard:
    """Read the record of a shard.

    Raises:
        DataError: it is damaged or of another version.
    """
    return _read(path, UnfinishedShard)


def _read(path: Path, kind: type[_Record]) -> _Record:
    try:
        return read_json(path, kind, version=VERSION)
    except ValueError as error:
        raise DataError(f"{error}; {REMEDY}") from error
