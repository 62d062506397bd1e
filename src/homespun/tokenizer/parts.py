"""Which stretches of which files are counted: all of them, or those of one shard among several."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from homespun import _native
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import Source
from homespun.errors import ConfigError, DataError


@dataclass(frozen=True)
class Shard:
    """One of several parts into which a corpus is divided, counted from 1.

    Raises:
        ConfigError: there is no such part.
    """

    number: int = 1
    num_shards: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.num_shards:
            raise ConfigError(
                f"shard {self} does not exist; the shards of {self.num_shards} are 1 to {self.num_shards}"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that a text such as 3/8 names.

        Raises:
            ConfigError: it names none.
        """
        number, slash, num_shards = text.partition("/")
        if not (slash and number.isdecimal() and num_shards.isdecimal()):
            raise ConfigError(f"{text!r} is no shard; write for example 3/8 for the third of eight")
        return cls(int(number), int(num_shards))

    def __str__(self) -> str:
        return f"{self.number}/{self.num_shards}"


WHOLE = Shard()


def divide(num_bytes: int, shard_bytes: int) -> list[Shard]:
    """The shards of a corpus of so many bytes, each of about `shard_bytes`; at least one."""
    num_shards = max(1, -(-num_bytes // shard_bytes))
    return [Shard(number, num_shards) for number in range(1, num_shards + 1)]


@dataclass(frozen=True)
class Part:
    """A stretch of a file that splits on its own."""

    file: InputFile
    start: int
    """Bytes of the file before it."""
    end: int


def plan_parts(
    files: Sequence[InputFile], source: Source, shard: Shard, special_tokens: Sequence[str], regex: str
) -> list[Part]:
    """The parts that belong to `shard`.

    All files one after the other are divided into equal numbers of bytes. A boundary inside plain text on this machine
    moves to the next place at which nothing is cut that belongs together; any other file belongs whole to the shard
    with its first byte.

    Raises:
        DataError: a file is empty.
    """
    sizes = [state.num_bytes for state in source.states]
    bounds = [source.num_bytes * number // shard.num_shards for number in range(shard.num_shards + 1)]
    low, high = bounds[shard.number - 1], bounds[shard.number]
    parts: list[Part] = []
    begin = 0
    for file, size in zip(files, sizes, strict=True):
        if not size:
            raise DataError(f"{file}: empty, there is nothing to count; give a text of at least one character")
        path = file.plain_path
        if path is None:
            if bisect_right(bounds, begin) == shard.number:
                parts.append(Part(file, 0, size))
        else:
            start, end = (
                _native.first_cut(path, min(max(bound - begin, 0), size), special_tokens, regex)
                for bound in (low, high)
            )
            if start < end:
                parts.append(Part(file, start, end))
        begin += size
    return parts
