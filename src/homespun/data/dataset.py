"""A token data set: ids on disk, read as if they were one array."""

import json
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from homespun.config import check_at_least
from homespun.data.manifest import MANIFEST_NAME, TOKEN_BYTES_NAME, VERIFIED_NAME, Manifest, read_manifest
from homespun.data.shard import Ids, check_content, check_shard, map_shard, shard_path
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError, StorageError
from homespun.files import write_text_atomically

_TOKEN_BYTES_DTYPE = np.dtype("<u4")
_VERIFY_TOKENS = 1 << 22


@dataclass(frozen=True)
class TokenDataset:
    """The ids of a corpus in order, memory-mapped shard by shard; made by `encode_corpus`, opened by `open`.

        >>> dataset = TokenDataset.open("data/tinystories/train")
        >>> dataset[1000:1256]  # whichever shards hold these tokens

    Slices are read-only views where one shard holds them, otherwise copies. Picklable: only path and manifest travel.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, directory: str | PathLike[str]) -> "TokenDataset":
        """Open a data set and check the sizes and headers of its files; `verify` reads every byte of them too.

        Raises:
            MissingFileError: there is no finished data set, or a file of it is missing.
            DataError: manifest or shards are damaged, truncated, or of another kind.
        """
        path = Path(directory)
        dataset = cls(path, read_manifest(path))
        for index, shard in enumerate(dataset.manifest.shards):
            check_shard(shard_path(path, index), dataset.manifest.origin.dtype, shard.num_tokens)
        check_shard(path / TOKEN_BYTES_NAME, _TOKEN_BYTES_DTYPE, dataset.vocab_size)
        return dataset

    @property
    def num_tokens(self) -> int:
        return self.manifest.num_tokens

    @property
    def num_bytes(self) -> int:
        """Bytes of the text, separators included."""
        return self.manifest.num_bytes

    @property
    def vocab_size(self) -> int:
        """One more than the largest id there can be."""
        return self.manifest.origin.vocab_size

    @property
    def tokenizer_fingerprint(self) -> str:
        """The fingerprint of the tokenizer that made the ids."""
        return self.manifest.origin.tokenizer_fingerprint

    @property
    def separator_id(self) -> int:
        return self.manifest.origin.separator_id

    @property
    def entropy(self) -> CorpusEntropy | None:
        """Exact bits of these documents, or None for text whose source is unknown."""
        return self.manifest.entropy

    def __len__(self) -> int:
        return self.num_tokens

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> Ids: ...
    def __getitem__(self, key: int | slice) -> int | Ids:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise IndexError(f"a token data set is sliced in steps of 1, not {step}; slice again what it gives")
            return self._read(start, max(start, stop))
        position = key + len(self) if key < 0 else key
        if not 0 <= position < len(self):
            raise IndexError(f"token {key} of a data set of {len(self):,} tokens")
        return int(self._read(position, position + 1)[0])

    def count_bytes(self, ids: npt.NDArray[np.integer]) -> int:
        """The bytes of the text of `ids`, separators included."""
        return int(self._token_bytes[ids].sum(dtype=np.int64))

    def check_tokenizer(self, fingerprint: str) -> None:
        """Raise DataError for the fingerprint of a tokenizer other than the one that made the ids."""
        if fingerprint != self.tokenizer_fingerprint:
            raise DataError(
                f"{self.path}: made with the tokenizer {self.tokenizer_fingerprint[:12]}, not with {fingerprint[:12]}; "
                "name that tokenizer, or encode the text again with this one"
            )

    def check_vocab_size(self, vocab_size: int) -> None:
        """Raise DataError for the vocabulary of a model that has no row for some of the ids."""
        if vocab_size < self.vocab_size:
            raise DataError(
                f"{self.path}: token ids go up to {self.vocab_size - 1:,}, outside the model's vocabulary of "
                f"{vocab_size:,}; set model.vocab_size to at least {self.vocab_size}"
            )

    def verify(self) -> None:
        """Read every byte and check it against the manifest, whose own hash `open` checks.

        Raises:
            DataError: a file is not what was written, or an id is outside the vocabulary.
        """
        check_content(self.path / TOKEN_BYTES_NAME, self.manifest.token_bytes_sha256)
        for index, shard in enumerate(self.manifest.shards):
            # The headers were compared when the data set was opened.
            check_content(shard_path(self.path, index), shard.sha256)
        for start in range(0, len(self), _VERIFY_TOKENS):
            _check_ids(self[start : start + _VERIFY_TOKENS], self.vocab_size, self.path)

    def verify_once(self) -> bool:
        """Call `verify`, unless no file has changed since it last passed; return whether it was called.

        Sizes, times and inodes of the files are kept in the directory, so that a copy is verified again. Where the
        directory cannot be written to, every call verifies.

        Raises:
            DataError: as `verify`.
        """
        shards = [shard_path(self.path, index) for index in range(len(self.manifest.shards))]
        stats = [
            (path.name, path.stat()) for path in [self.path / MANIFEST_NAME, self.path / TOKEN_BYTES_NAME, *shards]
        ]
        state = json.dumps({name: [stat.st_size, stat.st_mtime_ns, stat.st_ino] for name, stat in stats}) + "\n"
        record = self.path / VERIFIED_NAME
        with suppress(OSError):
            if record.read_bytes() == state.encode():
                return False
        self.verify()
        with suppress(StorageError):
            write_text_atomically(record, state)
        return True

    def _read(self, start: int, stop: int) -> Ids:
        found: list[Ids] = []
        while start < stop:
            index = bisect_right(self._shard_ends, start)
            offset = start - (self._shard_ends[index - 1] if index else 0)
            found.append(self._shards[index][offset : offset + stop - start])
            start += len(found[-1])
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty(0, self.manifest.origin.dtype)

    @cached_property
    def _shard_ends(self) -> list[int]:
        """For each shard the number of tokens in it and before it."""
        return [*accumulate(shard.num_tokens for shard in self.manifest.shards)]

    @cached_property
    def _shards(self) -> list[Ids]:
        dtype = self.manifest.origin.dtype
        return [
            map_shard(shard_path(self.path, index), dtype, shard.num_tokens)
            for index, shard in enumerate(self.manifest.shards)
        ]

    @cached_property
    def _token_bytes(self) -> Ids:
        return map_shard(self.path / TOKEN_BYTES_NAME, _TOKEN_BYTES_DTYPE, self.vocab_size)

    def __reduce__(self) -> tuple[object, ...]:
        return TokenDataset, (self.path, self.manifest)


def check_context_length(tokens: "TokenDataset | npt.NDArray[np.integer]", context_length: int) -> None:
    """Refuse a context for which `tokens` hold no window: `context_length` tokens and the one after them.

    Raises:
        ConfigError: `context_length` is below 1.
        DataError: there are too few tokens.
    """
    check_at_least("context_length", context_length, 1)
    if len(tokens) <= context_length:
        where = f"{tokens.path}: " if isinstance(tokens, TokenDataset) else ""
        raise DataError(
            f"{where}context_length = {context_length:,} needs at least {context_length + 1:,} tokens, but the data "
            f"hold {len(tokens):,}; shorten the context or use more text"
        )


def _check_ids(ids: Ids, vocab_size: int, path: Path) -> None:
    """Raise DataError if one of `ids` is `vocab_size` or more."""
    largest = int(ids.max(initial=0))
    if largest >= vocab_size:
        raise DataError(
            f"{path}: token id {largest:,} is outside the vocabulary of {vocab_size:,} tokens; "
            "use the tokenizer that made the ids"
        )
