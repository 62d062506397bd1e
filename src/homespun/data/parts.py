"""A corpus encoded in parts, side by side, and shards put together from them: the same bytes as one after the other.

A part is a file of ids beside a file that says what it holds; both are there or the part is not.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homespun.cluster import run_tasks
from homespun.corpus.documents import Place
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import Source
from homespun.data.blocks import BATCH_BYTES, CHUNK_BYTES, CorpusEncoder
from homespun.data.manifest import Origin, ShardRecord, shard_path
from homespun.data.shard_file import ShardFile
from homespun.data.shards import check_shard, map_shard
from homespun.data.writer import undo_begin
from homespun.errors import DataError
from homespun.files import make_directory, write_text_atomically
from homespun.progress import ProgressCallback, in_equal_parts
from homespun.tokenizer.parts import Part, Shard, divide, plan_parts
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.typed_json import read_json

PARTS_NAME = "parts"
PART_BYTES = 256 << 20
"""A part's share of the inputs as they are stored; it is what a killed worker loses."""
_COPIED_IDS = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What every task of an encoding needs."""

    tokenizer: Tokenizer
    files: Sequence[InputFile]
    source: Source
    origin: Origin
    token_bytes: npt.NDArray[np.uint32]
    """How many bytes each id spells."""
    directory: Path
    """Where the shards go; absolute, for tasks run elsewhere."""

    @property
    def parts_directory(self) -> Path:
        """Where the parts lie until the shards stand."""
        return self.directory / PARTS_NAME

    def part_path(self, part: Shard) -> Path:
        """The file of a part."""
        return self.parts_directory / f"part-{part.number:06d}-of-{part.num_shards:06d}.npy"


@dataclass(frozen=True)
class ShardPlan:
    """A shard, as stretches of parts."""

    index: int
    stretches: list[tuple[Shard, int, int]]
    """A part, the first id, the id after the last."""

    def __str__(self) -> str:
        return shard_path(Path(), self.index).name


def encode_in_parts(
    encoding: Encoding, *, cluster: str | None, part_bytes: int, on_progress: ProgressCallback
) -> list[ShardRecord]:
    """Encode the corpus part by part, then make the shards; parts and shards that an earlier call made are kept.

    Args:
        encoding: What is encoded, and into what.
        cluster: As `run_tasks`.
        part_bytes: Bytes of the inputs in a part.
        on_progress: Told bytes of the inputs encoded, of those in all.

    Raises:
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        HomespunError: what `encode_corpus` raises.
    """
    make_directory(encoding.parts_directory)
    parts = divide(encoding.source.num_bytes, part_bytes)
    note_part = in_equal_parts(on_progress, encoding.source.num_bytes, len(parts))
    try:
        records = run_tasks(encode_part, encoding, parts, cluster=cluster, on_done=note_part)
    except BaseException:
        if not any(encoding.directory.glob("shard-*.npy")) and not any(encoding.parts_directory.glob("*.json")):
            shutil.rmtree(encoding.parts_directory, ignore_errors=True)
            undo_begin(encoding.directory)
        raise
    plans = plan_shards(parts, [record.num_tokens for record in records], encoding.origin.shard_tokens)
    return run_tasks(build_shard, encoding, plans, cluster=cluster)


def encode_part(encoding: Encoding, part: Shard) -> ShardRecord:
    """Make one part, or find it made."""
    path = encoding.part_path(part)
    if (record := _read_record(path)) is not None:
        return record
    origin = encoding.origin
    stretches = plan_parts(encoding.files, encoding.source, part, [origin.separator], encoding.tokenizer.pattern)

    def fill(file: ShardFile) -> None:
        if not stretches:
            # The bytes of this part lie inside a file that cannot be entered in the middle.
            return
        encoder = CorpusEncoder(
            tokenizer=encoding.tokenizer,
            inputs=[stretch.file for stretch in stretches],
            input_bytes=[stretch.end for stretch in stretches],
            separator=origin.separator,
            text_key=origin.text_key,
            token_bytes=encoding.token_bytes,
            chunk_bytes=CHUNK_BYTES,
            batch_bytes=BATCH_BYTES,
            num_threads=1,
            end=stretches[-1].end,
            closes_last=_is_followed(encoding, stretches[-1]),
        )
        start = Place(stretches[0].start)
        encoder.encode(0, start, lambda block: file.append(block.ids, block.num_bytes, block.num_separators))

    return _write(path, origin, fill, record_name=path)


def _is_followed(encoding: Encoding, stretch: Part) -> bool:
    """Whether a stretch ends where its file does, and another file comes after."""
    if stretch.file == encoding.files[-1]:
        return False
    return stretch.end == encoding.source.states[list(encoding.files).index(stretch.file)].num_bytes


def plan_shards(parts: Sequence[Shard], part_tokens: Sequence[int], shard_tokens: int) -> list[ShardPlan]:
    """Which stretches of which parts make each shard.

    >>> plans = plan_shards(["a", "b", "c"], [5, 0, 4], shard_tokens=6)
    >>> [plan.stretches for plan in plans]
    [[('a', 0, 5), ('c', 0, 1)], [('c', 1, 4)]]
    """
    plans: list[ShardPlan] = []
    num_free = 0  # ids that the last shard still takes
    for part, num_tokens in zip(parts, part_tokens, strict=True):
        start = 0
        while start < num_tokens:
            if not num_free:
                plans.append(ShardPlan(len(plans), []))
                num_free = shard_tokens
            stop = min(num_tokens, start + num_free)
            plans[-1].stretches.append((part, start, stop))
            num_free -= stop - start
            start = stop
    return plans


def build_shard(encoding: Encoding, plan: ShardPlan) -> ShardRecord:
    """Put one shard together, or find it made."""
    path = shard_path(encoding.directory, plan.index)
    record_name = encoding.parts_directory / path.name
    if (record := _read_record(record_name)) is not None:
        check_shard(path, encoding.origin.dtype, record.num_tokens)
        return record

    def fill(file: ShardFile) -> None:
        for part, start, stop in plan.stretches:
            ids = _map_part(encoding, part)
            for begin in range(start, stop, _COPIED_IDS):
                copied = ids[begin : min(stop, begin + _COPIED_IDS)]
                num_bytes = int(encoding.token_bytes[copied].sum(dtype=np.int64))
                file.append(copied, num_bytes, int(np.count_nonzero(copied == encoding.origin.separator_id)))

    return _write(path, encoding.origin, fill, record_name=record_name)


def _map_part(encoding: Encoding, part: Shard) -> npt.NDArray[np.unsignedinteger]:
    path, dtype = encoding.part_path(part), encoding.origin.dtype
    record = _read_record(path)
    assert record is not None, "shards are planned from parts that are made"
    check_shard(path, dtype, record.num_tokens)
    return map_shard(path, dtype, record.num_tokens)


def _write(path: Path, origin: Origin, fill: Callable[[ShardFile], None], *, record_name: Path) -> ShardRecord:
    """Write a file of ids, then the record that says so."""
    file = ShardFile(path, origin.dtype)
    try:
        fill(file)
    except BaseException as error:
        file.drop(error)
        raise
    record = file.close()
    write_text_atomically(record_name.with_suffix(".json"), json.dumps(asdict(record)) + "\n")
    return record


def _read_record(name: Path) -> ShardRecord | None:
    """What a file of ids holds, where it is made.

    Raises:
        DataError: the record is damaged.
    """
    path = name.with_suffix(".json")
    if not path.exists():
        return None
    try:
        return read_json(path, ShardRecord)
    except ValueError as error:
        raise DataError(f"{error}; delete it, then run the same command again") from error
