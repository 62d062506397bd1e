"""Count a corpus: in memory, or range by range into counts files that are merged, on threads or on a cluster.

A range's counts file is there or it is not: it is written under a temporary name and renamed. So an interrupted count
resumes after the last finished range, and a task whose worker died can be repeated, with nothing else recorded.
"""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Generic, TypeVar

from homespun import _native
from homespun.cluster import Report, run_tasks
from homespun.corpus.division import FileRange, divide, num_ranges_of
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import Source, read_source
from homespun.errors import ConfigError, DataError
from homespun.files import atomic_path, storage_errors, sync_directory, write_text_atomically
from homespun.locks import LOCK_NAME, hold_lock
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens
from homespun.tokenizer.counting.counter import CountJob
from homespun.tokenizer.counting.file import (
    CountedSource,
    CountsHeader,
    CountsSums,
    read_counts,
    read_header,
)
from homespun.tokenizer.counting.options import (
    DEFAULT_OPTIONS,
    PYTHON_TO_COUNT_BYTES,
    PYTHON_TO_TRAIN_BYTES,
    CountOptions,
)
from homespun.tokenizer.patterns import resolve_pattern
from homespun.typed_json import read_json

RECORD_NAME = "ranges.json"
RECORD_VERSION = 1

_FAN_IN = 64
"""Counts files that one task merges."""

_Source = TypeVar("_Source", FileRange, Path)


def count_pretokens(
    files: Sequence[InputFile],
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    options: CountOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback = ignore_progress,
) -> _native.PretokenCounts:
    """Count how often each pre-token occurs: the first half of `train_bpe`, with its arguments and errors."""
    if options.counts_path is not None:
        count_corpus(
            files, options.counts_path, special_tokens, pattern=pattern, options=options, on_progress=on_progress
        )
        memory_bytes = options.memory_besides(PYTHON_TO_TRAIN_BYTES)
        return read_counts([Path(options.counts_path)], max_memory_bytes=memory_bytes, spill_dir=options.spill_dir)
    if options.cluster is not None:
        raise ConfigError(
            f"cluster = {options.cluster!r} needs counts_path: a file for the counts, which all machines of the "
            "cluster see"
        )
    job = CountJob([*special_tokens], resolve_pattern(pattern), options, PYTHON_TO_TRAIN_BYTES)
    (ranges,) = divide(files, 1, special_tokens=job.special_tokens, pattern=job.regex)
    return job.count(ranges, on_progress).finish()


def count_corpus(
    files: Sequence[InputFile],
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
        files: What `homespun.corpus.expand_inputs` returns. Special tokens are removed from text; in the documents of
            .jsonl lines and .parquet rows they are ordinary text.
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
    check_special_tokens("special_tokens", special_tokens)
    out = Path(out)
    if options.cluster is not None:
        out, files = out.absolute(), [file.absolute() for file in files]
        options = replace(options, num_threads=options.num_threads or 1)
    directory = out.with_name(f"{out.name}.ranges")
    options = replace(options, spill_dir=options.spill_dir or directory)
    job = CountJob([*special_tokens], resolve_pattern(pattern), options, PYTHON_TO_COUNT_BYTES)
    source = read_source(files)
    header = CountsHeader(
        pattern=job.regex,
        special_tokens=job.special_tokens,
        unicode=_native.UNICODE_VERSION,
        sources=[CountedSource(fingerprint=source.fingerprint, text_key=options.text_key)],
    )
    with hold_lock(directory, unless=out):
        if out.exists():
            _check_header(out, read_header(out), header)
        else:
            claim_directory(directory, header, source)
            try:
                _count_ranges(job, files, source, directory, out, header, on_progress)
            except BaseException:
                if not any(directory.glob("*.counts")):
                    # No range was finished: leave nothing that a corrected call would be refused for.
                    _remove(directory)
                raise
        _remove(directory)
        return CountsSums(*_native.verify_counts(out))


@dataclass(frozen=True, kw_only=True)
class RangesRecord:
    """What the counts files of `OUT.ranges` are counts of, so that no other count resumes from them."""

    version: int
    header: CountsHeader
    modified: list[str]
    """The `InputState.modified` of each input."""


def claim_directory(directory: Path, header: CountsHeader, source: Source) -> None:
    """Write the record of what is counted, or check the one that an earlier call wrote.

    Raises:
        DataError: the earlier call counted something else, an input changed since, or the record is damaged.
    """
    path, remedy = directory / RECORD_NAME, f"delete {directory} to count again"
    expected = RangesRecord(version=RECORD_VERSION, header=header, modified=[state.modified for state in source.states])
    if not path.exists():
        write_text_atomically(path, json.dumps(asdict(expected), indent=1) + "\n")
        return
    try:
        found = read_json(path, RangesRecord, version=RECORD_VERSION)
    except ValueError as error:
        raise DataError(f"{error}; {remedy}") from error
    _check_header(directory, found.header, header)
    if found.modified != expected.modified:
        raise DataError(f"{directory}: an input was written to after counting had begun; {remedy}")


def _check_header(path: Path, found: CountsHeader, expected: CountsHeader) -> None:
    """Refuse counts at `path` that are not those of one corpus with the expected settings."""
    differences = {name: (found.settings[name], value) for name, value in expected.settings.items()}
    differences["text_key"] = (found.sources[0].text_key, expected.sources[0].text_key)
    differences["inputs"] = ([source.fingerprint for source in found.sources], [expected.sources[0].fingerprint])
    for name, (old, new) in differences.items():
        if old != new:
            raise DataError(
                f"{path}: was counted with {name} {old!r}, not {new!r}; "
                "delete it to count again, or choose another name"
            )


@dataclass(frozen=True)
class _Task(Generic[_Source]):
    """A counts file to write, from ranges of the inputs or from other counts files."""

    path: Path
    sources: list[_Source]
    header: bytes

    def __str__(self) -> str:
        return f"{self.path.name}: {self.sources[0]}"


def _count_ranges(
    job: CountJob,
    files: Sequence[InputFile],
    source: Source,
    directory: Path,
    out: Path,
    header: CountsHeader,
    on_progress: ProgressCallback,
) -> None:
    """Count every range that is not counted yet, and merge the counts into `out`."""
    cluster = job.options.cluster
    lists = divide(
        files,
        num_ranges_of(source.num_bytes, job.options.range_bytes),
        special_tokens=job.special_tokens,
        pattern=job.regex,
        file_bytes=[state.num_bytes for state in source.states],
    )

    def tasks_for(kind: str, groups: Sequence[list[_Source]]) -> list[_Task[_Source]]:
        # Only the last file has a header that `read_header` accepts: counts of ranges are never added up by mistake.
        stored = header.to_bytes() if len(groups) == 1 else b"ranges of " + header.to_bytes()
        # Files of ranges cut with another `range_bytes` have other names.
        names = (f"{kind}-{number:06d}-of-{len(lists):06d}.counts" for number in range(1, len(groups) + 1))
        return [_Task(directory / name, group, stored) for name, group in zip(names, groups, strict=True)]

    sizes = [sum(each.num_bytes for each in ranges) for ranges in lists]
    tasks = tasks_for("range", lists)
    paths = run_tasks(_count_task, job, tasks, cluster=cluster, sizes=sizes, on_progress=on_progress)
    level = 0
    while len(paths) > 1:
        level += 1
        groups = [paths[start : start + _FAN_IN] for start in range(0, len(paths), _FAN_IN)]
        paths = run_tasks(_merge_task, None, tasks_for(f"merged-{level}", groups), cluster=cluster)
    with storage_errors(out):
        paths[0].replace(out)
        sync_directory(out.parent)


def _count_task(job: CountJob, task: _Task[FileRange], report: Report) -> Path:
    """Count ranges into a file, unless an earlier call did."""
    if not task.path.exists():
        counter = job.count(task.sources, lambda done, _: report(done))
        with atomic_path(task.path) as temporary:
            counter.write(temporary, task.header)
    return task.path


def _merge_task(_shared: None, task: _Task[Path], _report: Report) -> Path:
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
