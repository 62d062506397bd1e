"""Identify a set of input files, and notice when one changes."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from homespun.corpus.inputs import InputFile, InputState
from homespun.errors import DataError

_SAMPLE_BYTES = 1 << 20
_NUM_SAMPLES = 16
# Files examined concurrently: a store answers many requests in the time of one.
_NUM_READERS = 8


@dataclass(frozen=True, kw_only=True)
class Source:
    """Input files, as they are now."""

    states: list[InputState]
    fingerprint: str
    """The sha256 over the sha256 of every file's kind, size and content, in order."""

    @property
    def num_bytes(self) -> int:
        """Of all files, as they are stored."""
        return sum(state.num_bytes for state in self.states)


def read_source(files: Sequence[InputFile]) -> Source:
    """Return size, last change and fingerprint of the files.

    Of files above 16 MiB only 16 samples of 1 MiB are hashed, evenly spaced from the first byte to the last: a corpus
    of terabytes must not be read twice. Names are left out, so that what is made from a text stays valid when the text
    moves.

    Raises:
        HomespunError: as `InputFile.open`.
    """
    with ThreadPoolExecutor(_NUM_READERS) as pool:
        states = list(pool.map(InputFile.state, files))
        digests = list(pool.map(_fingerprint, files, states))
    return Source(states=states, fingerprint=hashlib.sha256("\n".join(digests).encode()).hexdigest())


def check_unchanged(files: Sequence[InputFile], source: Source) -> None:
    """Refuse files that changed since `source` was read.

    Raises:
        DataError: one was; or what `InputFile.state` raises where one is gone.
    """
    with ThreadPoolExecutor(_NUM_READERS) as pool:
        for file, before, now in zip(files, source.states, pool.map(InputFile.state, files), strict=True):
            if now != before:
                raise DataError(
                    f"{file}: changed while it was being read; wait until it is complete, delete what was made from it "
                    "and run the same command again"
                )


def _fingerprint(file: InputFile, state: InputState) -> str:
    digest = hashlib.sha256(f"{file.kind} {state.num_bytes}\n".encode())
    with file.open() as content:
        if state.num_bytes <= _SAMPLE_BYTES * _NUM_SAMPLES:
            while data := content.read(_SAMPLE_BYTES):
                digest.update(data)
        else:
            for number in range(_NUM_SAMPLES):
                content.seek((state.num_bytes - _SAMPLE_BYTES) * number // (_NUM_SAMPLES - 1))
                digest.update(content.read(_SAMPLE_BYTES))
    return digest.hexdigest()
