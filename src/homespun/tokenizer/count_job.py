"""One corpus with one set of settings, to be counted whole or in shards, here or elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homespun import _native
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import Source
from homespun.files import storage_errors, sync_directory
from homespun.progress import ProgressCallback
from homespun.tokenizer.counting import Counting
from homespun.tokenizer.counts_file import CountedPart, CountsHeader, CountsSums, check_header, read_header
from homespun.tokenizer.memory import PYTHON_TO_COUNT_BYTES, memory_for_counting
from homespun.tokenizer.partial import Partial
from homespun.tokenizer.parts import Shard, plan_parts


@dataclass(frozen=True, kw_only=True)
class CountJob:
    """What `count_corpus` was asked for, checked; picklable."""

    files: Sequence[InputFile]
    source: Source
    special_tokens: list[str]
    regex: str
    text_key: str
    num_threads: int
    chunk_bytes: int
    max_memory_bytes: int | None
    segment_bytes: int

    def header(self, shard: Shard) -> CountsHeader:
        """What the file of a shard's counts says of itself."""
        part = CountedPart(
            source=self.source.fingerprint, text_key=self.text_key, shard=shard.number, num_shards=shard.num_shards
        )
        return CountsHeader(
            pattern=self.regex, special_tokens=self.special_tokens, unicode=_native.UNICODE_VERSION, parts=[part]
        )

    def partial(self, out: Path, shard: Shard) -> Partial:
        """The directory of the file `out` while it is being made."""
        return Partial(out.with_name(f"{out.name}.partial"), self.header(shard), self.source)

    def find_finished(self, out: Path, shard: Shard) -> CountsSums | None:
        """What the file `out` adds up to, where it is there already.

        Raises:
            DataError: it is damaged, or holds something else.
        """
        if not out.exists():
            return None
        check_header(out, read_header(out), self.header(shard))
        self.partial(out, shard).remove()
        return CountsSums(*_native.verify_counts(out))

    def count(self, out: Path, shard: Shard, on_progress: ProgressCallback) -> CountsSums:
        """Count a shard into `out` on this machine, from where an earlier call came to."""
        if (finished := self.find_finished(out, shard)) is not None:
            return finished
        partial = self.partial(out, shard)
        progress = partial.read()
        parts = plan_parts(self.files, self.source, shard, self.special_tokens, self.regex)
        with partial.removed_if_empty():
            counter = _native.Counter(
                self.special_tokens,
                self.regex,
                self.num_threads,
                self.chunk_bytes,
                memory_for_counting(self.max_memory_bytes, PYTHON_TO_COUNT_BYTES),
                partial.directory,
                progress.runs,
            )
            counting = Counting(counter, parts, self.text_key, on_progress, segment_bytes=self.segment_bytes)
            for cursor in counting.run(progress.cursor):
                partial.write(cursor, counter.keep())
                counter.remove_others()
            sums = CountsSums(*counter.write(partial.finished_path, self.header(shard).to_bytes()))
            finish(partial, out)
        partial.remove()
        return sums


def finish(partial: Partial, out: Path) -> None:
    """Give the finished file in `partial` its name.

    Raises:
        StorageError: the disk refuses.
    """
    with storage_errors(out):
        partial.finished_path.replace(out)
        sync_directory(out.parent)
