"""A corpus counted shard by shard on a cluster, into the same file that one machine writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homespun import _native
from homespun.cluster import run_tasks
from homespun.files import make_directory
from homespun.progress import ProgressCallback, ignore_progress, in_equal_parts
from homespun.tokenizer.count_job import CountJob, finish
from homespun.tokenizer.counts_file import CountsSums, merge_counts_files
from homespun.tokenizer.parts import WHOLE, Shard, divide

_MOST_AT_ONCE = 64
"""Files of counts that one task adds up."""


@dataclass(frozen=True)
class _Merge:
    """Files of counts, and the one that they are added up in."""

    paths: Sequence[Path]
    out: Path

    def __str__(self) -> str:
        return str(self.out)


def count_on_cluster(job: CountJob, out: Path, cluster: str | None, on_progress: ProgressCallback) -> CountsSums:
    """Count a corpus into `out`, a task for every `job.segment_bytes` of the inputs; `OUT.partial` has what is done.

    Args:
        job: What is counted, and how each task counts.
        out: The file to write; absolute.
        cluster: As `run_tasks`.
        on_progress: Told bytes of the input files done, of those in all.

    Raises:
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        HomespunError: what `count_corpus` raises.
    """
    if (finished := job.find_finished(out, WHOLE)) is not None:
        return finished
    partial = job.partial(out, WHOLE)
    progress = partial.read()
    make_directory(partial.directory)
    partial.write(progress.cursor, progress.runs)
    shards = divide(job.source.num_bytes, job.segment_bytes)
    note_shard = in_equal_parts(on_progress, job.source.num_bytes, len(shards))
    try:
        paths = run_tasks(_count_shard, (job, partial.directory), shards, cluster=cluster, on_done=note_shard)
    except BaseException:
        if not any(partial.directory.glob("*.counts")):
            # Nothing was achieved: leave nothing behind that a corrected call would have to be told to ignore.
            partial.remove()
        raise
    paths = _merge_to_few(paths, partial.directory / f"merged-of-{len(shards):06d}", cluster)
    sums = _native.merge_counts_files(paths, partial.directory, partial.finished_path, job.header(WHOLE).to_bytes())
    finish(partial, out)
    partial.remove()
    return CountsSums(*sums)


def _count_shard(shared: tuple[CountJob, Path], shard: Shard) -> Path:
    job, directory = shared
    path = directory / f"shard-{shard.number:06d}-of-{shard.num_shards:06d}.counts"
    job.count(path, shard, ignore_progress)
    return path


def _merge_to_few(paths: list[Path], stem: Path, cluster: str | None) -> list[Path]:
    """Files that add up to the same, few enough to be added up at once; new ones have names that begin with `stem`."""
    level = 0
    while len(paths) > _MOST_AT_ONCE:
        level += 1
        groups = [paths[start : start + _MOST_AT_ONCE] for start in range(0, len(paths), _MOST_AT_ONCE)]
        merges = [
            _Merge(group, stem.with_name(f"{stem.name}-{level}-{number:06d}.counts"))
            for number, group in enumerate(groups)
        ]
        paths = run_tasks(_merge, None, merges, cluster=cluster)
    return paths


def _merge(_shared: None, merge: _Merge) -> Path:
    if not merge.out.exists():
        merge_counts_files(merge.paths, merge.out)
    return merge.out
