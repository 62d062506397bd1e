"""Encode text files into a token data set, on threads or a cluster, restartable.

The inputs are divided into lists of file ranges, one for each shard. A shard is there or it is not: it takes its name
when it is complete, and an interrupted call is repeated, which keeps the shards that are there.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path

import numpy as np

from homespun.cluster import Report, run_tasks
from homespun.config import check_at_least
from homespun.corpus.division import FileRange, divide, num_ranges_of
from homespun.corpus.inputs import InputFile, Inputs, InputState, expand_inputs
from homespun.corpus.source import Source, check_unchanged, read_source
from homespun.data.dataset import TokenDataset
from homespun.data.manifest import (
    MANIFEST_NAME,
    TOKEN_BYTES_NAME,
    VERIFIED_NAME,
    VERSION,
    Manifest,
    Origin,
    UnfinishedShard,
    read_unfinished,
    record_path,
    total,
    write_record,
)
from homespun.data.range_encoder import RangeEncoder
from homespun.data.shard import (
    Ids,
    ShardRecord,
    check_content,
    check_shard,
    id_dtype,
    sha256_of_items,
    shard_path,
    write_array,
    write_shard,
)
from homespun.entropy import CorpusEntropy
from homespun.errors import DataError, MissingFileError
from homespun.files import remove_temporaries, storage_errors
from homespun.locks import hold_lock
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.tokenizer import Tokenizer

SHARD_BYTES = 256 << 20
"""Bytes of the inputs in a shard: about 130 MB of uint16 ids, and what a killed worker has to repeat."""

_LIKELY_BYTES_PER_ID = 3


@dataclass(frozen=True, kw_only=True)
class EncodeJob:
    """What every shard of a data set has in common; picklable."""

    encoder: RangeEncoder
    origin: Origin
    modified: str
    """A hash of the times at which the inputs were last changed."""
    directory: Path
    """Absolute, for workers on other machines."""


@dataclass(frozen=True)
class ShardTask:
    """One shard to make."""

    index: int
    ranges: list[FileRange]
    closes_last: bool
    """Whether another file follows the last range, so that a separator ends it in any case."""

    def __str__(self) -> str:
        return shard_path(Path(), self.index).name


def encode_corpus(
    tokenizer: Tokenizer,
    inputs: Inputs,
    out_dir: str | PathLike[str],
    *,
    separator: str = "<|endoftext|>",
    text_key: str = "text",
    shard_bytes: int = SHARD_BYTES,
    num_threads: int | None = None,
    cluster: str | None = None,
    entropy: CorpusEntropy | None = None,
    overwrite: bool = False,
    on_progress: ProgressCallback = ignore_progress,
) -> TokenDataset:
    """Encode the text of any number of files into the token data set `out_dir`.

    In a .txt file the separator becomes its token and nothing else becomes a special token; the text of a .jsonl line
    or a .parquet row is ordinary throughout, and a separator follows it. Between files there is always a separator. The
    bytes written depend on the tokenizer, the text, the separator and `shard_bytes` alone, not on threads, machine, or
    how often the work was interrupted: the same call keeps the shards that are finished. A finished data set is
    returned as it is.

    Args:
        tokenizer: The tokenizer; the separator is one of its special tokens.
        inputs: Paths, URLs and patterns (see `homespun.corpus.expand_inputs`) of .txt and .jsonl files, also .gz or
            .zst, and of .parquet files, in the order in which they are to follow each other.
        out_dir: The directory to create.
        separator: The special token between documents.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        shard_bytes: About how many bytes of the inputs, as stored, make a shard. A compressed, parquet or remote file
            is never divided.
        num_threads: The number of threads. None: one a core, and one for each task on a cluster.
        cluster: The address of a Ray cluster to encode on (see `homespun.cluster.run_tasks`). None: this machine.
        entropy: Exact bits of these documents, to be stored in the manifest. None: not known.
        overwrite: Whether to replace a data set in `out_dir` that was made from something else.
        on_progress: Called with (bytes of the inputs encoded, bytes in all).

    Raises:
        ConfigError: the separator is not a special token of this tokenizer, or a size is out of range.
        MissingFileError, DownloadError, MissingPackageError: as `homespun.corpus.expand_inputs`.
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        DataError: an input is damaged, not UTF-8, or changed meanwhile, or `out_dir` holds a data set made from
            something else.
        BusyError: another process is writing to `out_dir`.
        StorageError: the disk is full; finished shards are kept.
    """
    check_at_least("shard_bytes", shard_bytes, 1)
    encoder = RangeEncoder(
        tokenizer=tokenizer,
        separator=separator,
        text_key=text_key,
        num_threads=1 if cluster is not None and num_threads is None else resolve_num_threads(num_threads),
    )
    files = expand_inputs(inputs)
    if cluster is not None:
        files = [file.absolute() for file in files]
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Each takes some milliseconds, which a short text would notice.
        source_read = pool.submit(read_source, files)
        fingerprint = tokenizer.fingerprint
        source = source_read.result()
    origin = Origin(
        tokenizer_fingerprint=fingerprint,
        vocab_size=tokenizer.vocab_size,
        separator=separator,
        separator_id=encoder.separator_id,
        text_key=text_key,
        shard_bytes=shard_bytes,
        source=source.fingerprint,
    )
    directory = Path(out_dir)
    job = EncodeJob(encoder=encoder, origin=origin, modified=_hash_times(source.states), directory=directory.absolute())
    with hold_lock(directory, unless=directory / MANIFEST_NAME):
        if overwrite:
            _remove_other(directory, job)
        if (directory / MANIFEST_NAME).exists():
            return _reuse(directory, origin, entropy)
        _check_begun(directory, job)
        tasks = _plan(job, files, source)
        sizes = [sum(each.num_bytes for each in task.ranges) for task in tasks]
        records = run_tasks(encode_shard, job, tasks, cluster=cluster, sizes=sizes, on_progress=on_progress)
        try:
            check_unchanged(files, source)
        except DataError:
            # Nobody can say which text these shards are of.
            _remove(directory)
            raise
        return _finish(job, directory, records, entropy)


def encode_to_memory(
    tokenizer: Tokenizer,
    inputs: Inputs,
    *,
    separator: str = "<|endoftext|>",
    text_key: str = "text",
    num_threads: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> Ids:
    """Encode files into one array: the ids that `encode_corpus` writes for the same arguments, in the same type.

    Raises:
        HomespunError: what `encode_corpus` raises about tokenizer and inputs.
    """
    threads = resolve_num_threads(num_threads)
    encoder = RangeEncoder(tokenizer=tokenizer, separator=separator, text_key=text_key, num_threads=threads)
    files = expand_inputs(inputs)
    (ranges,) = divide(files, 1, special_tokens=[separator], pattern=tokenizer.pattern)
    num_bytes = sum(each.num_bytes for each in ranges)
    # Grown in place: the memory of a block is used again for the next one, where fresh memory for each would cost.
    ids = np.empty(num_bytes // _LIKELY_BYTES_PER_ID + 1, id_dtype(tokenizer.vocab_size))
    num_ids = 0

    def take(block: Ids, _num_bytes: int, _num_separators: int) -> None:
        nonlocal num_ids
        end = num_ids + len(block)
        if end > len(ids):
            ids.resize(max(end, 2 * len(ids)), refcheck=False)
        ids[num_ids:end] = block
        num_ids = end

    encoder.encode(ranges, closes_last=False, on_block=take, report=lambda done: on_progress(done, num_bytes))
    ids.resize(num_ids, refcheck=False)
    return ids


def encode_shard(job: EncodeJob, task: ShardTask, report: Report) -> ShardRecord:
    """Make one shard, unless it is there.

    Raises:
        DataError: the shard that is there was altered.
        HomespunError: what `RangeEncoder.encode` and writing raise.
    """
    path, record = shard_path(job.directory, task.index), record_path(job.directory, task.index)
    if record.exists() and path.exists():
        shard = read_unfinished(record).shard
        check_shard(path, job.origin.dtype, shard.num_tokens)
        check_content(path, shard.sha256)
        return shard
    with write_shard(path, job.origin.dtype) as writer:
        job.encoder.encode(task.ranges, closes_last=task.closes_last, on_block=writer.append, report=report)
        shard = writer.finish()
        # Before the shard takes its name, which the end of this block does: so a shard without a record is always
        # somebody else's, and never overwritten.
        write_record(record, UnfinishedShard(version=VERSION, origin=job.origin, modified=job.modified, shard=shard))
    return shard


def _plan(job: EncodeJob, files: Sequence[InputFile], source: Source) -> list[ShardTask]:
    """The shards: a function of the inputs and `shard_bytes` alone, so that bytes do not depend on the machine."""
    lists = divide(
        files,
        num_ranges_of(source.num_bytes, job.origin.shard_bytes),
        # No range may end inside a token that ordinary text is searched for.
        special_tokens=list(dict.fromkeys([job.origin.separator, *job.encoder.tokenizer.added_tokens])),
        pattern=job.encoder.tokenizer.pattern,
        file_bytes=[state.num_bytes for state in source.states],
    )
    # A list that a new file follows ends with the end of its last file.
    closes_last = [*(following[0].start == 0 for following in lists[1:]), False]
    return [ShardTask(index, ranges, closes_last[index]) for index, ranges in enumerate(lists)]


def _hash_times(states: Sequence[InputState]) -> str:
    return hashlib.sha256("\n".join(state.modified for state in states).encode()).hexdigest()


def _reuse(directory: Path, origin: Origin, entropy: CorpusEntropy | None) -> TokenDataset:
    """The finished data set that is there, if it is the one asked for."""
    dataset = TokenDataset.open(directory)
    _check_origin(directory, dataset.manifest.origin, origin)
    if entropy is not None and entropy != dataset.entropy:
        raise DataError(
            f"{directory}: has the entropy {dataset.entropy}, not {entropy}; delete it, then run the same command again"
        )
    _remove_records(directory)
    return dataset


def _check_begun(directory: Path, job: EncodeJob) -> None:
    """Check that what an earlier call left is of this job, and remove its temporary files."""
    records = sorted(directory.glob("shard-*.json"))
    ours = {TOKEN_BYTES_NAME, *(path.with_suffix(".npy").name for path in records)} if records else set[str]()
    for path in sorted([*directory.glob("shard-*.npy"), *directory.glob(TOKEN_BYTES_NAME)]):
        if path.name not in ours:
            raise DataError(f"{path} is in the way: nothing says what it holds; choose another directory")
    remove_temporaries(directory)
    for path in records:
        unfinished = read_unfinished(path)
        _check_origin(directory, unfinished.origin, job.origin)
        if unfinished.modified != job.modified:
            raise DataError(
                f"{directory}: an input was changed after encoding had begun; delete the directory, then run the same "
                "command again"
            )


def _check_origin(directory: Path, there: Origin, asked: Origin) -> None:
    for field in fields(Origin):
        old, new = getattr(there, field.name), getattr(asked, field.name)
        if old != new:
            name = "inputs" if field.name == "source" else field.name
            raise DataError(
                f"{directory}: was made with {name} {old}, not {new}; choose another directory, or delete this one "
                "(--force)"
            )


def _remove_other(directory: Path, job: EncodeJob) -> None:
    """Remove a data set, finished or not, unless it is of this job."""
    with suppress(DataError, MissingFileError):
        if (directory / MANIFEST_NAME).exists():
            _check_origin(directory, TokenDataset.open(directory).manifest.origin, job.origin)
        else:
            _check_begun(directory, job)
        return
    _remove(directory)


def _remove(directory: Path) -> None:
    """Remove the files of a data set, finished or not, and no others."""
    if (directory / MANIFEST_NAME).exists():
        shards = directory.glob("shard-*.npy")
    else:
        # Shards that have no record are not ours.
        shards = [path.with_suffix(".npy") for path in directory.glob("shard-*.json")]
        if not shards:
            return
    _unlink(*shards)
    _remove_records(directory)
    # The manifest last: until then a call that is killed here can be repeated.
    _unlink(*(directory / name for name in (TOKEN_BYTES_NAME, VERIFIED_NAME, MANIFEST_NAME)))


def _remove_records(directory: Path) -> None:
    _unlink(*directory.glob("shard-*.json"))


def _unlink(*paths: Path) -> None:
    for path in paths:
        with storage_errors(path):
            path.unlink(missing_ok=True)


def _finish(job: EncodeJob, directory: Path, shards: list[ShardRecord], entropy: CorpusEntropy | None) -> TokenDataset:
    """Write what makes the shards a data set."""
    totals = total(shards)
    counts = totals["num_bytes"], totals["num_separators"]
    if entropy is not None and (entropy.num_bytes, entropy.num_documents) != counts:
        raise DataError(
            f"{directory}: the entropy given is that of {entropy.num_documents:,} documents of {entropy.num_bytes:,} "
            f"bytes, but the text holds {counts[1]:,} of {counts[0]:,} bytes; it belongs to another file"
        )
    write_array(directory / TOKEN_BYTES_NAME, job.encoder.token_bytes)
    manifest = Manifest(
        version=VERSION,
        origin=job.origin,
        **totals,
        token_bytes_sha256=sha256_of_items(directory / TOKEN_BYTES_NAME),
        shards=shards,
        entropy=entropy,
        sha256="",
    )
    write_record(directory / MANIFEST_NAME, manifest.with_sha256())
    _remove_records(directory)
    return TokenDataset.open(directory)
