"""A corpus, or a shard of it, to a file of counts, taken up again where it was interrupted."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from homespun import _native
from homespun.config import check_at_least
from homespun.corpus.inputs import Inputs, expand_inputs
from homespun.corpus.source import read_source
from homespun.files import storage_errors, sync_directory
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import check_special_tokens, resolve_num_threads
from homespun.tokenizer.count import CHUNK_BYTES, counting_memory
from homespun.tokenizer.counting import SEGMENT_BYTES, Counting
from homespun.tokenizer.counts_file import CountedPart, CountsHeader, CountsSums, check_header, read_header
from homespun.tokenizer.partial import Partial
from homespun.tokenizer.parts import WHOLE, Shard, plan_parts
from homespun.tokenizer.patterns import resolve_pattern


def count_corpus(
    inputs: Inputs,
    out: str | PathLike[str],
    special_tokens: Sequence[str],
    *,
    pattern: str = "gpt2",
    text_key: str = "text",
    shard: Shard = WHOLE,
    num_threads: int | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    max_memory_bytes: int | None = None,
    segment_bytes: int = SEGMENT_BYTES,
    on_progress: ProgressCallback = ignore_progress,
) -> CountsSums:
    """Count the pre-tokens of a corpus, or of one shard of it, into the file `out`.

    The bytes written depend on the text, the special tokens, the pattern and the shard alone, not on threads, memory,
    or how often the work was interrupted: about every `segment_bytes` what was counted is put into the directory
    `OUT.partial`, and the same call goes on from there. A file that is finished is left as it is. The counts of all
    shards add up to those of the whole.

    Args:
        inputs: Paths, URLs and patterns (see `homespun.corpus.expand_inputs`) of .txt and .jsonl files, also .gz or
            .zst, and of .parquet files. Special tokens are cut from text; in the documents of .jsonl lines and .parquet
            rows they are ordinary.
        out: The file to write.
        special_tokens: Strings, none empty, none twice.
        pattern: "gpt2", "gpt4" or a regular expression.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        shard: Which part to count.
        num_threads: How many count; None for one a core.
        chunk_bytes: Bytes a thread reads at a time.
        max_memory_bytes: What the process may take; None for as much as the distinct pre-tokens need.
        segment_bytes: Bytes of text between two places at which the work can be taken up again.
        on_progress: Told bytes of the input files done, of those in all.

    Raises:
        ConfigError: an argument cannot work.
        MissingFileError: an input does not exist, or nothing matches a pattern.
        DataError: an input is damaged or not UTF-8, or `out` or its `.partial` was made from something else.
        DownloadError: an input lies behind a URL that cannot be read.
        MissingPackageError: an input needs a package that is not installed.
        StorageError: the disk is full; what was put aside is kept.
    """
    check_special_tokens("special_tokens", special_tokens)
    check_at_least("chunk_bytes", chunk_bytes, 1)
    check_at_least("segment_bytes", segment_bytes, 1)
    regex = resolve_pattern(pattern)
    memory = counting_memory(max_memory_bytes)
    threads = resolve_num_threads(num_threads)
    out = Path(out)
    files = expand_inputs(inputs)
    source = read_source(files)
    part = CountedPart(source=source.fingerprint, text_key=text_key, shard=shard.number, num_shards=shard.num_shards)
    header = CountsHeader(
        pattern=regex, special_tokens=[*special_tokens], unicode=_native.UNICODE_VERSION, parts=[part]
    )
    partial = Partial(out.with_name(f"{out.name}.partial"), header, source)
    if out.exists():
        check_header(out, read_header(out), header)
        partial.remove()
        return CountsSums(*_native.verify_counts(out))
    progress = partial.read()
    parts = plan_parts(files, source, shard, special_tokens, regex)
    with partial.removed_if_empty():
        counter = _native.Counter(special_tokens, regex, threads, chunk_bytes, memory, partial.directory, progress.runs)
        counting = Counting(counter, parts, text_key, on_progress, segment_bytes=segment_bytes)
        for cursor in counting.run(progress.cursor):
            partial.write(cursor, counter.keep())
            counter.remove_others()
        sums = CountsSums(*counter.write(partial.finished_path, header.to_bytes()))
        with storage_errors(out):
            partial.finished_path.replace(out)
            sync_directory(out.parent)
    partial.remove()
    return sums
