"""Files of text to a token data set, in bounded memory, taken up again where it was interrupted."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homespun.config import check_at_least
from homespun.corpus.documents import Place
from homespun.corpus.inputs import Inputs, InputState, expand_inputs
from homespun.corpus.source import check_unchanged, read_source
from homespun.data.blocks import BATCH_BYTES, CHUNK_BYTES, Block, CorpusEncoder
from homespun.data.dataset import TokenDataset
from homespun.data.manifest import (
    MANIFEST_NAME,
    PROGRESS_NAME,
    PROGRESS_VERSION,
    TOKEN_BYTES_NAME,
    VERSION,
    Cursor,
    Manifest,
    Origin,
    Progress,
    ShardRecord,
    read_progress,
    shard_path,
    write_part,
)
from homespun.data.parts import PART_BYTES, PARTS_NAME, Encoding, encode_in_parts
from homespun.data.shards import check_shard, sha256_of_items
from homespun.data.writer import ShardWriter, begin
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, DataError
from homespun.files import storage_errors
from homespun.locks import hold_until_made
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.tokenizer import Tokenizer

SHARD_TOKENS = 1 << 26


def encode_corpus(
    tokenizer: Tokenizer,
    inputs: Inputs,
    out_dir: str | PathLike[str],
    *,
    separator: str = "<|endoftext|>",
    text_key: str = "text",
    shard_tokens: int = SHARD_TOKENS,
    num_threads: int | None = None,
    cluster: str | None = None,
    part_bytes: int = PART_BYTES,
    entropy: CorpusEntropy | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> TokenDataset:
    """Encode the text of any number of files into the token data set `out_dir`.

    In a .txt file the separator becomes its token and nothing else becomes a special one; the text of a .jsonl line or
    a .parquet row is ordinary throughout, and a separator follows it. Between files a separator stands in any case. The
    bytes written depend on the tokenizer, the text, the separator and `shard_tokens` alone, not on threads, machine, or
    how often the work was interrupted: shards that are finished are kept, and the same call goes on after them. A data
    set that is finished is returned as it is.

    Args:
        tokenizer: What to encode with; the separator is one of its special tokens.
        inputs: Paths, URLs and patterns (see `homespun.corpus.expand_inputs`) of .txt and .jsonl files, also .gz or
            .zst, and of .parquet files, in the order in which they are to follow each other.
        out_dir: The directory to make.
        separator: The special token between documents.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        shard_tokens: Tokens in every shard but the last.
        num_threads: How many to encode on; None for one a core. On a cluster a task has one.
        cluster: The address of a Ray cluster to encode on (see `homespun.cluster.run_tasks`); None for here.
        part_bytes: Bytes of the inputs that a task encodes at a time, on a cluster.
        entropy: Exact bits of these documents, where they are known, to be carried along.
        on_progress: Told bytes of the input files read, of those in all.

    Raises:
        ConfigError: the separator is not a special token of this tokenizer, or a size is out of range.
        MissingFileError: an input does not exist, or nothing matches a pattern.
        DownloadError: an input lies behind a URL that cannot be read.
        MissingPackageError: an input or the cluster needs a package that is not installed.
        ClusterError: the cluster cannot be reached, or a task's workers keep dying.
        DataError: an input is damaged, not UTF-8, or written to meanwhile, or `out_dir` holds a data set made from
            something else.
        BusyError: another process is writing to `out_dir`.
        StorageError: the disk is full; what is finished is kept.
    """
    files, directory = expand_inputs(inputs), Path(out_dir)
    if cluster is not None:
        files, directory = [file.absolute() for file in files], directory.absolute()
    check_at_least("shard_tokens", shard_tokens, 1)
    check_at_least("part_bytes", part_bytes, 1)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Each takes some milliseconds, which a short text would feel.
        source_read = pool.submit(read_source, files)
        fingerprint = tokenizer.fingerprint
        source = source_read.result()
    origin = Origin(
        tokenizer_fingerprint=fingerprint,
        vocab_size=tokenizer.vocab_size,
        separator=separator,
        separator_id=find_separator(tokenizer, separator),
        text_key=text_key,
        shard_tokens=shard_tokens,
        source=source.fingerprint,
    )
    with hold_until_made(directory / MANIFEST_NAME, directory):
        if (directory / MANIFEST_NAME).exists():
            return _reuse(directory, origin, entropy)
        progress = _resume(directory, origin, source.states)
        encoding = Encoding(
            tokenizer=tokenizer,
            files=files,
            source=source,
            origin=origin,
            token_bytes=measure_tokens(tokenizer),
            directory=directory,
        )
        if cluster is None:
            shards = _encode_here(encoding, progress, resolve_num_threads(num_threads), on_progress)
        else:
            begin(directory, progress, encoding.token_bytes)
            shards = encode_in_parts(encoding, cluster=cluster, part_bytes=part_bytes, on_progress=on_progress)
            check_unchanged(files, source)
        return _finish(encoding, shards, entropy)


def _encode_here(
    encoding: Encoding, progress: Progress, num_threads: int, on_progress: ProgressCallback
) -> list[ShardRecord]:
    """Encode what follows the finished shards, on this machine's threads."""
    source, origin = encoding.source, encoding.origin
    encoder = CorpusEncoder(
        tokenizer=encoding.tokenizer,
        inputs=encoding.files,
        input_bytes=[state.num_bytes for state in source.states],
        separator=origin.separator,
        text_key=origin.text_key,
        token_bytes=encoding.token_bytes,
        chunk_bytes=CHUNK_BYTES,
        batch_bytes=BATCH_BYTES * num_threads,
        num_threads=num_threads,
    )
    with ShardWriter(encoding.directory, progress, encoding.token_bytes) as writer:

        def take(block: Block) -> None:
            writer.write(block)
            on_progress(block.consumed_bytes, source.num_bytes)

        cursor = progress.cursor
        encoder.encode(cursor.input_index, Place(cursor.offset, cursor.line), take)
        check_unchanged(encoding.files, source)
    return writer.progress.shards


def find_separator(tokenizer: Tokenizer, separator: str) -> int:
    """The separator's id.

    Raises:
        ConfigError: it is not a special token of this tokenizer.
    """
    if separator not in tokenizer.special_tokens:
        known = ", ".join(tokenizer.special_tokens) or "none"
        raise ConfigError(
            f"the separator {separator!r} is not a special token of this tokenizer (its special tokens: {known}); "
            "name one of them, or train a tokenizer with this one"
        )
    return tokenizer.special_tokens[separator]


def measure_tokens(tokenizer: Tokenizer) -> npt.NDArray[np.uint32]:
    """How many bytes each id spells; 0 for ids that no token has."""
    vocab = tokenizer.vocab
    lengths = np.zeros(tokenizer.vocab_size, np.dtype("<u4"))
    lengths[np.fromiter(vocab, np.int64)] = np.fromiter(map(len, vocab.values()), np.uint32)
    return lengths


def _reuse(directory: Path, origin: Origin, entropy: CorpusEntropy | None) -> TokenDataset:
    """The finished data set that is there, if it is the one asked for."""
    dataset = TokenDataset.open(directory)
    _check_origin(directory, dataset.manifest.origin, origin, state="made")
    if entropy is not None and entropy != dataset.entropy:
        raise DataError(f"{directory}: carries the entropy {dataset.entropy}, not {entropy}; delete it to make it anew")
    _clear(directory)
    return dataset


def _resume(directory: Path, origin: Origin, states: Sequence[InputState]) -> Progress:
    """How far an earlier call came, its shards checked; or the beginning."""
    modified = [state.modified for state in states]
    progress = read_progress(directory)
    if progress is None and (strangers := sorted(directory.glob("shard-*.npy"))):
        raise DataError(f"{strangers[0]} is in the way: nothing says what it holds; choose another directory")
    for leftover in [*directory.glob(".*.tmp"), *directory.glob(f"{PARTS_NAME}/.*.tmp")]:
        with storage_errors(leftover):
            leftover.unlink(missing_ok=True)
    if progress is None or not (progress.shards or (directory / PARTS_NAME).exists()):
        start = Cursor(input_index=0, offset=0, line=1, num_done=0)
        return Progress(version=PROGRESS_VERSION, origin=origin, modified=modified, shards=[], cursor=start)
    _check_origin(directory, progress.origin, origin, state="begun")
    if progress.modified != modified:
        raise DataError(
            f"{directory}: an input was written to after its encoding had begun; delete the directory to begin anew"
        )
    for index, shard in enumerate(progress.shards):
        path = shard_path(directory, index)
        check_shard(path, origin.dtype, shard.num_tokens)
        if sha256_of_items(path) != shard.sha256:
            raise DataError(f"{path}: altered since it was written; delete {directory} to begin anew")
    return progress


def _check_origin(directory: Path, there: Origin, asked: Origin, *, state: str) -> None:
    for field in fields(Origin):
        old, new = getattr(there, field.name), getattr(asked, field.name)
        if old != new:
            name = "inputs" if field.name == "source" else field.name
            raise DataError(
                f"{directory}: was {state} with {name} {old}, not {new}; delete it to make it anew, "
                "or choose another directory"
            )


def _finish(encoding: Encoding, shards: list[ShardRecord], entropy: CorpusEntropy | None) -> TokenDataset:
    """Write what makes the shards a data set."""
    directory = encoding.directory
    num_bytes = sum(shard.num_bytes for shard in shards)
    num_separators = sum(shard.num_separators for shard in shards)
    if entropy is not None and (entropy.num_bytes, entropy.num_documents) != (num_bytes, num_separators):
        raise DataError(
            f"{directory}: the entropy given is that of {entropy.num_documents:,} documents of {entropy.num_bytes:,} "
            f"bytes, but the text holds {num_separators:,} of {num_bytes:,} bytes; it belongs to another file"
        )
    manifest = Manifest(
        version=VERSION,
        origin=encoding.origin,
        num_tokens=sum(shard.num_tokens for shard in shards),
        num_bytes=num_bytes,
        num_separators=num_separators,
        token_bytes_sha256=sha256_of_items(directory / TOKEN_BYTES_NAME),
        shards=shards,
        entropy=entropy,
    )
    write_part(directory, manifest)
    _clear(directory)
    return TokenDataset.open(directory)


def _clear(directory: Path) -> None:
    """Remove what a finished data set needs no more."""
    with storage_errors(directory):
        (directory / PROGRESS_NAME).unlink(missing_ok=True)
        if (directory / PARTS_NAME).exists():
            shutil.rmtree(directory / PARTS_NAME)
