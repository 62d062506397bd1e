"""What tells one set of input files from another."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from homespun.corpus.segments import is_json_lines
from homespun.files import check_is_file

_SAMPLE_BYTES = 1 << 20
_NUM_SAMPLES = 16


def fingerprint_inputs(paths: Sequence[Path]) -> str:
    """The sha256 over every file's kind, size and content, in order.

    Of files above 16 MiB, 16 samples of 1 MiB count, evenly spaced from the first byte to the last: a corpus of
    terabytes must not be read twice. Names do not count, so that a data set stays valid when its text moves.

    Raises:
        MissingFileError: there is no such file.
        DataError: it is a directory.
    """
    digest = hashlib.sha256()
    for path in paths:
        check_is_file(path, "a text file", "check the path")
        num_bytes = path.stat().st_size
        digest.update(f"{'json lines' if is_json_lines(path) else 'text'} {num_bytes}\n".encode())
        with path.open("rb") as file:
            if num_bytes <= _SAMPLE_BYTES * _NUM_SAMPLES:
                digest.update(file.read())
                continue
            for number in range(_NUM_SAMPLES):
                file.seek((num_bytes - _SAMPLE_BYTES) * number // (_NUM_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
