"""A token data set: ids on disk, read as if they were one array."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from homespun.data.manifest import TOKEN_BYTES_NAME, Manifest, read_manifest, shard_path
from homespun.data.shards import REMEDY, check_shard, map_shard, sha256_of_items
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError

_TOKEN_BYTES_DTYPE = np.dtype("<u4")
_VERIFY_TOKENS = 1 << 22


@dataclass(frozen=True)
class TokenDataset:
    """The ids of a corpus in order, memory-mapped shard by shard; made by `encode_corpus`, opened by `open`.

        >>> dataset = TokenDataset.open("data/tinystories/train")
        >>> dataset[1000:1256]  # whichever shards these tokens lie in

    Slices are read-only views where they lie in one shard, otherwise copies. Picklable: only path and manifest travel.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, directory: str | PathLike[str]) -> "TokenDataset":
        """Open a data set and check that its files are whole; `verify` checks every byte of them too.

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
    def fingerprint(self) -> str:
        """That of the tokenizer."""
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
    def __getitem__(self, key: slice) -> npt.NDArray[np.unsignedinteger]: ...
    def __getitem__(self, key: int | slice) -> int | npt.NDArray[np.unsignedinteger]:
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
        """Bytes of text that `ids` spell, separators included."""
        return int(self._token_bytes[ids].sum(dtype=np.int64))

    def check_tokenizer(self, fingerprint: str) -> None:
        """Refuse a tokenizer other than the one the ids were made with.

        Raises:
            DataError: it is another.
        """
        if fingerprint != self.fingerprint:
            raise DataError(
                f"{self.path}: made with the tokenizer {self.fingerprint[:12]}, not with {fingerprint[:12]}; "
                "name that tokenizer, or encode the text again with this one"
            )

    def check_vocab_size(self, vocab_size: int) -> None:
        """Refuse a model that has no row for some of the ids.

        Raises:
            DataError: `vocab_size`, the model's, is too small.
        """
        if vocab_size < self.vocab_size:
            raise DataError(
                f"{self.path}: token ids go up to {self.vocab_size - 1:,}, outside the model's vocabulary of "
                f"{vocab_size:,}; set model.vocab_size to at least {self.vocab_size}"
            )

    def verify(self) -> None:
        """Read every byte and check it against the manifest.

        Raises:
            DataError: a file is not what was written, or an id is outside the vocabulary.
        """
        expected = {TOKEN_BYTES_NAME: self.manifest.token_bytes_sha256}
        expected |= {shard_path(self.path, i).name: shard.sha256 for i, shard in enumerate(self.manifest.shards)}
        for name, sha256 in expected.items():
            # Their headers were compared when the data set was opened.
            if sha256_of_items(self.path / name) != sha256:
                raise DataError(f"{self.path / name}: altered since it was written; {REMEDY}")
        for start in range(0, len(self), _VERIFY_TOKENS):
            check_ids(self[start : start + _VERIFY_TOKENS], self.vocab_size, where=str(self.path))

    def _read(self, start: int, stop: int) -> npt.NDArray[np.unsignedinteger]:
        size = self.manifest.origin.shard_tokens
        pieces: list[npt.NDArray[np.unsignedinteger]] = []
        while start < stop:
            index, offset = divmod(start, size)
            piece = self._shard(index)[offset : offset + stop - start]
            pieces.append(piece)
            start += len(piece)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, self.manifest.origin.dtype)

    def _shard(self, index: int) -> npt.NDArray[np.unsignedinteger]:
        if index not in self._mapped:
            num_tokens = self.manifest.shards[index].num_tokens
            self._mapped[index] = map_shard(shard_path(self.path, index), self.manifest.origin.dtype, num_tokens)
        return self._mapped[index]

    @cached_property
    def _mapped(self) -> dict[int, npt.NDArray[np.unsignedinteger]]:
        return {}

    @cached_property
    def _token_bytes(self) -> npt.NDArray[np.unsignedinteger]:
        return map_shard(self.path / TOKEN_BYTES_NAME, _TOKEN_BYTES_DTYPE, self.vocab_size)

    def __reduce__(self) -> tuple[object, ...]:
        return TokenDataset, (self.path, self.manifest)


def check_ids(ids: npt.NDArray[np.integer], vocab_size: int, *, where: str) -> None:
    """Refuse ids that no token has.

    Raises:
        DataError: one of them is `vocab_size` or more.
    """
    largest = int(ids.max(initial=0))
    if largest >= vocab_size:
        raise DataError(
            f"{where}: token id {largest:,} is outside the vocabulary of {vocab_size:,} tokens; "
            "use the tokenizer that the ids were made with"
        )
