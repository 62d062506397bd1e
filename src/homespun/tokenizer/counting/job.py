"""Count a corpus: in memory, or range by range into counts files that are merged, on threads or on a cluster.

A range's counts file is there or it is not: it is written under a temporary name and renamed. So an interrupted count
resumes after the last finished range, and a task whose worker died can be repeated, with nothing else recorded.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from homespun import _native
from homespun.cluster import run_tasks
from homespun.config import check_at_least
from homespun.corpus.division import FileRange, divide, num_ranges_of
from homespun.corpus.inputs import InputFile, Inputs, expand_inputs
from homespun.corpus.source import Source, read_source
from homespun.errors import ConfigError
from homespun.files import atomic_path, storage_errors, sync_directory
from homespun.locks import LOCK_NAME, hold_lock
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens, resolve_num_threads
from homespun.tokenizer.counting.feed import feed
from homespun.tokenizer.counting.file import (
    CountedSource,
    CountsHeader,
    CountsSums,
    check_header,
    claim_directory,
    read_counts,
    read_header,
)
from homespun.tokenizer.patterns import resolve_pattern

PYTHON_TO_COUNT_BYTES = 28 << 20
"""Memory of the interpreter that runs `homespun tokenizer count`, rounded up; a larger program adds to it."""

PYTHON_TO_TRAIN_BYTES = 40 << 20
"""The same for training, which imports NumPy."""

_PYTHON_TOKEN_BYTES = 500
"""Memory of one token in Python: its bytes, those of its two parents, their entries in lists and dictionaries."""

_LEAST_COUNTING_BYTES = 8 << 20

_FAN_IN = 64
"""Counts files that one task merges."""

_DOCUMENT_SHARE = 16
"""The longest JSON line or parquet page allowed takes this fraction of a memory limit."""

_COPIES_OF_A_DOCUMENT = 6
"""Measured 2026-11-27 on one line of 64 MiB, `count_pretokens` on one thread: 5.0 times its size at the peak."""


@dataclass(frozen=True, kw_only=True)
class CountOptions:
    """How a corpus is read and counted; of all this only `text_key` changes the counts.

    Raises:
        ConfigError: a number is too small.
    """

    text_key: str = "text"
    """The key of the text in a .jsonl line, or its column in a .parquet file."""

    num_threads: int | None = None
    """Threads that count and merge; None: one per core, or one per task on a cluster."""

    chunk_bytes: int = 1 << 18
    """Bytes that a thread reads at a time: enough to amortize the reading, small enough for the processor's cache."""

    max_memory_bytes: int | None = None
    """Memory limit of the process, and on a cluster of each task; None: no limit. Counts that exceed it spill to disk;
    JSON lines and parquet pages larger than a 16th of it are refused, and merging is if its worst case would not fit.
    pyarrow and what opens URLs come on top."""

    spill_dir: str | PathLike[str] | None = None
    """Where counts spill to that are not kept in a file; None: the system's directory for temporary files."""

    counts_path: str | PathLike[str] | None = None
    """A file to keep the counts in: a call that finds them there does not count again. None: not kept."""

    range_bytes: int = 1 << 30
    """Input bytes counted between two writes to disk when counts are kept in a file: the work that an interruption can
    cost, and the size of a task on a cluster."""

    cluster: str | None = None
    """Address of a Ray cluster to count on (see `homespun.cluster.run_tasks`); it needs a `counts_path` that all its
    machines see. None: count here, where pairs are merged in any case."""

    def __post_init__(self) -> None:
        check_at_least("chunk_bytes", self.chunk_bytes, 1)
        check_at_least("range_bytes", self.range_bytes, 1)
        if self.num_threads is not None:
            check_at_least("num_threads", self.num_threads, 1)


DEFAULT_OPTIONS = CountOptions()


def count_pretokens(
    inputs: Inputs,
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> _native.PretokenCounts:
    """Count how often each pre-token occurs: the first half of `train_bpe`, with its arguments and errors."""
    memory_bytes = memory_for_counting(options.max_memory_bytes, PYTHON_TO_TRAIN_BYTES)
    if options.counts_path is not None:
        count_corpus(
            inputs, options.counts_path, special_tokens, pattern=pattern, options=options, on_progress=on_progress
        )
        found = read_counts(options.counts_path, max_memory_bytes=memory_bytes, spill_dir=options.spill_dir)
        return found.pretokens
    if options.cluster is not None:
        raise ConfigError(
            f"cluster = {options.cluster!r} needs counts_path: a file for the counts, which all machines of the "
            "cluster see"
        )
    job = CountJob.check(inputs, special_tokens, pattern, options)
    (ranges,) = divide(job.files, 1, special_tokens=job.special_tokens, pattern=job.regex)
    return job.count(ranges, memory_bytes, tempfile.gettempdir(), on_progress).finish()


def count_corpus(
    inputs: Inputs,
    out: str | PathLike[str],
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> CountsSums:
    """Count the pre-tokens of a corpus into the file `out`.

    The bytes written depend only on the text, the special tokens and the pattern. About every `options.range_bytes` of
    input the counts are written to the directory `OUT.ranges`; after an interruption the same call resumes from there.
    A compressed, JSON lines, parquet or remote file is one range, however large. A finished file is left as it is.

    Args:
        inputs: Paths, URLs and patterns (see `homespun.corpus.expand_inputs`) of .txt and .jsonl files, also .gz or
            .zst, and of .parquet files. Special tokens are removed from text; in the documents of .jsonl lines and
            .parquet rows they are ordinary text.
        out: The counts file to write; `options.counts_path` is ignored.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4", "o200k" or a regular expression.
        options: How to read and count.
        on_progress: Called with (bytes done, bytes in all) of the inputs.

    Raises:
        ConfigError: an argument is invalid.
        DataError: an input is damaged or not UTF-8, or `out` or `OUT.ranges` has counts of something else.
        HomespunError: anything else that stops it: a missing file, a directory locked by another process, a full disk,
            an unreachable cluster. Finished ranges are kept.
    """
    job, out = CountJob.check(inputs, special_tokens, pattern, options), Path(out)
    # Checked here rather than in the first task.
    memory_for_counting(options.max_memory_bytes, PYTHON_TO_COUNT_BYTES)
    if options.cluster is not None:
        out = out.absolute()
    source = read_source(job.files)
    header = CountsHeader(
        pattern=job.regex,
        special_tokens=job.special_tokens,
        unicode=_native.UNICODE_VERSION,
        sources=[CountedSource(fingerprint=source.fingerprint, text_key=options.text_key)],
    )
    directory = out.with_name(f"{out.name}.ranges")
    with hold_lock(directory, unless=out):
        if out.exists():
            check_header(out, read_header(out), header)
        else:
            claim_directory(directory, header, source)
            try:
                _count_ranges(job, source, directory, out, header, on_progress)
            except BaseException:
                if not any(directory.glob("*.counts")):
                    # No range was finished: leave nothing that a corrected call would be refused for.
                    _remove(directory)
                raise
        _remove(directory)
        return CountsSums(*_native.verify_counts(out))


@dataclass(frozen=True, kw_only=True)
class CountJob:
    """What every task of a count needs, checked; picklable."""

    files: list[InputFile]
    special_tokens: list[str]
    regex: str
    options: CountOptions

    @classmethod
    def check(cls, inputs: Inputs, special_tokens: Sequence[str], pattern: str, options: CountOptions) -> "CountJob":
        """Return the job that these arguments describe.

        Raises:
            ConfigError: an argument is invalid.
            MissingFileError: an input does not exist.
        """
        check_special_tokens("special_tokens", special_tokens)
        regex = resolve_pattern(pattern)
        files = expand_inputs(inputs)
        if options.cluster is not None:
            files = [file.absolute() for file in files]
        return cls(files=files, special_tokens=[*special_tokens], regex=regex, options=options)

    def count(
        self,
        ranges: Sequence[FileRange],
        memory_bytes: int | None,
        spill_dir: str | PathLike[str],
        on_progress: ProgressCallback,
    ) -> _native.Counter:
        """Return a counter that has counted `ranges`; it spills to the options' directory or else to `spill_dir`."""
        max_document_bytes = None
        if memory_bytes is not None and any(file_range.file.kind != "text" for file_range in ranges):
            # A line or page is in memory several times: as bytes, as text, as its documents, as a copy for the core.
            max_document_bytes = memory_bytes // _DOCUMENT_SHARE
            memory_bytes -= _COPIES_OF_A_DOCUMENT * max_document_bytes
        on_cluster = self.options.cluster is not None and self.options.num_threads is None
        counter = _native.Counter(
            self.special_tokens,
            self.regex,
            1 if on_cluster else resolve_num_threads(self.options.num_threads),
            self.options.chunk_bytes,
            memory_bytes,
            spill_dir if self.options.spill_dir is None else self.options.spill_dir,
        )
        feed(counter, ranges, self.options.text_key, max_document_bytes, on_progress)
        return counter


@dataclass(frozen=True)
class _CountTask:
    path: Path
    header: bytes
    ranges: list[FileRange]

    @property
    def num_bytes(self) -> int:
        return sum(file_range.num_bytes for file_range in self.ranges)

    def __str__(self) -> str:
        return f"{self.path.name}: {self.ranges[0]}"


@dataclass(frozen=True)
class _MergeTask:
    path: Path
    header: bytes
    sources: list[Path]

    def __str__(self) -> str:
        return self.path.name


def _count_ranges(
    job: CountJob,
    source: Source,
    directory: Path,
    out: Path,
    header: CountsHeader,
    on_progress: ProgressCallback,
) -> None:
    """Count every range that is not counted yet, and merge the counts into `out`."""
    cluster, total, done = job.options.cluster, source.num_bytes, 0
    lists = divide(
        job.files,
        num_ranges_of(total, job.options.range_bytes),
        special_tokens=job.special_tokens,
        pattern=job.regex,
        file_bytes=[state.num_bytes for state in source.states],
    )
    # Only the last file has a header that `read_header` accepts: counts of ranges are never added up by mistake.
    last = header.to_bytes()
    incomplete = b"ranges of " + last

    def path_of(kind: str, number: int) -> Path:
        # Files of ranges cut with another `range_bytes` have other names.
        return directory / f"{kind}-{number:06d}-of-{len(lists):06d}.counts"

    tasks = [
        _CountTask(path_of("range", number), last if len(lists) == 1 else incomplete, ranges)
        for number, ranges in enumerate(lists, start=1)
    ]

    def note_done(task: _CountTask) -> None:
        nonlocal done
        done += task.num_bytes
        on_progress(done, total)

    def count_here(job: CountJob, task: _CountTask) -> _CountTask:
        return _count_range(job, task, lambda num_bytes, _: on_progress(done + num_bytes, total))

    run_tasks(_count_range if cluster is not None else count_here, job, tasks, cluster=cluster, on_done=note_done)
    paths, level = [task.path for task in tasks], 0
    while len(paths) > 1:
        level += 1
        groups = [paths[start : start + _FAN_IN] for start in range(0, len(paths), _FAN_IN)]
        merges = [
            _MergeTask(path_of(f"merged-{level}", number), last if len(groups) == 1 else incomplete, group)
            for number, group in enumerate(groups, start=1)
        ]
        paths = run_tasks(_merge, None, merges, cluster=cluster)
    with storage_errors(out):
        paths[0].replace(out)
        sync_directory(out.parent)


def _count_range(job: CountJob, task: _CountTask, on_progress: ProgressCallback = ignore_progress) -> _CountTask:
    """Count one list of ranges into a file, unless an earlier call did."""
    if not task.path.exists():
        memory_bytes = memory_for_counting(job.options.max_memory_bytes, PYTHON_TO_COUNT_BYTES)
        counter = job.count(task.ranges, memory_bytes, task.path.parent, on_progress)
        with atomic_path(task.path) as temporary:
            counter.write(temporary, task.header)
    return task


def _merge(_shared: None, task: _MergeTask) -> Path:
    """Merge counts files into one, unless an earlier call did."""
    if not task.path.exists():
        with atomic_path(task.path) as temporary:
            _native.merge_counts_files(task.sources, task.path.parent, temporary, task.header)
    return task.path


def _remove(directory: Path) -> None:
    """Remove a directory of ranges, except for a lock file, which the process that has the lock removes."""
    if not directory.exists():
        return
    with storage_errors(directory):
        for entry in directory.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != LOCK_NAME:
                entry.unlink()
    with suppress(OSError):
        directory.rmdir()


def memory_for_counting(max_memory_bytes: int | None, python_bytes: int) -> int | None:
    """Return what a memory limit leaves for counting; None: no limit.

    Raises:
        ConfigError: the limit is below the least that counting needs.
    """
    if max_memory_bytes is None:
        return None
    least = python_bytes + _LEAST_COUNTING_BYTES
    if max_memory_bytes < least:
        raise ConfigError(
            f"max_memory = {max_memory_bytes:,} bytes is too little: Python alone takes about {python_bytes:,}; "
            f"allow at least {least:,}"
        )
    return max_memory_bytes - python_bytes


def check_memory_for_merging(
    max_memory_bytes: int | None, counts: _native.PretokenCounts, merging_bytes: int, vocab_size: int
) -> None:
    """Refuse to start a merge that may not fit into the limit.

    Args:
        max_memory_bytes: The limit; None: no limit.
        counts: The counts to merge.
        merging_bytes: The most that merging takes, in addition to the counts.
        vocab_size: The largest vocabulary that merging can make.

    Raises:
        ConfigError: merging may need more; the message gives the bytes that are enough.
    """
    needed = PYTHON_TO_TRAIN_BYTES + counts.memory_bytes + merging_bytes + _PYTHON_TOKEN_BYTES * vocab_size
    if max_memory_bytes is not None and needed > max_memory_bytes:
        raise ConfigError(
            f"max_memory = {max_memory_bytes:,} bytes is too little: merging {len(counts):,} distinct pre-tokens may "
            f"take {needed:,}; allow that, ask for fewer tokens, or count less text"
        )
