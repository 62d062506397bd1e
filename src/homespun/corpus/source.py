"""What tells one set of input files from another."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from homespun.corpus.inputs import InputFile, InputState
from homespun.errors import DataError

_SAMPLE_BYTES = 1 << 20
_NUM_SAMPLES = 16
# Files looked at side by side: a store answers many questions in the time of one.
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
    """Look at every file.

    Of files above 16 MiB, 16 samples of 1 MiB count, evenly spaced from the first byte to the last: a corpus of
    terabytes must not be read twice. Names do not count, so that what is made from a text
    stays valid when the text moves.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is a directory, or cannot be read.
        DownloadError: it lies behind a URL that cannot be read.
        MissingPackageError: a URL needs a package that is not installed.
    """
    with ThreadPoolExecutor(_NUM_READERS) as pool:
        states = list(pool.map(InputFile.state, files))
        digests = list(pool.map(_fingerprint, files, states))
    return Source(states=states, fingerprint=hashlib.sha256("\n".join(digests).encode()).hexdigest())


def check_unchanged(files: Sequence[InputFile], source: Source) -> None:
    """Refuse files that were written to since `source` was read.

    Raises:
        DataError: one was.
        MissingFileError: one is gone.
        DownloadError: one lies behind a URL that cannot be read any more.
    """
    with ThreadPoolExecutor(_NUM_READERS) as pool:
        for file, before, now in zip(files, source.states, pool.map(InputFile.state, files), strict=True):
            if now != before:
                raise DataError(
                    f"{file}: written to while it was being encoded; wait until it is finished, then delete what there "
                    "is of the data set and encode again"
                )


def _fingerprint(file: InputFile, state: InputState) -> str:
    digest = hashlib.sha256(f"{file.kind} {state.num_bytes}\n".encode())
    with file.open() as content:
        if state.num_bytes <= _SAMPLE_BYTES * _NUM_SAMPLES:
            while piece := content.read(_SAMPLE_BYTES):
                digest.update(piece)
        else:
            for number in range(_NUM_SAMPLES):
                content.seek((state.num_bytes - _SAMPLE_BYTES) * number // (_NUM_SAMPLES - 1))
                digest.update(content.read(_SAMPLE_BYTES))
    return digest.hexdigest()
