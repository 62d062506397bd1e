"""Files of text to token ids in memory, for those who want no data set."""

import numpy as np
import numpy.typing as npt

from homespun.corpus.documents import Place
from homespun.corpus.inputs import Inputs, expand_inputs
from homespun.corpus.source import read_source
from homespun.data.blocks import BATCH_BYTES, CHUNK_BYTES, Block, CorpusEncoder
from homespun.data.encode import find_separator, measure_tokens
from homespun.data.manifest import id_dtype
from homespun.progress import ProgressCallback, ignore_progress
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.tokenizer import Tokenizer

_LIKELY_BYTES_PER_ID = 3


def encode_to_memory(
    tokenizer: Tokenizer,
    inputs: Inputs,
    *,
    separator: str = "<|endoftext|>",
    text_key: str = "text",
    num_threads: int | None = None,
    on_progress: ProgressCallback = ignore_progress,
) -> npt.NDArray[np.unsignedinteger]:
    """Encode files into one array: the ids that `encode_corpus` writes for the same arguments, in the same type.

    Args:
        tokenizer: What to encode with; the separator is one of its special tokens.
        inputs: As `encode_corpus` takes them.
        separator: The special token between documents.
        text_key: The key of the text in a .jsonl line, or its column in a .parquet file.
        num_threads: How many to encode on; None for one a core.
        on_progress: Told bytes of the input files read, of those in all.

    Raises:
        HomespunError: what `encode_corpus` raises about tokenizer and inputs.
    """
    find_separator(tokenizer, separator)
    files = expand_inputs(inputs)
    source = read_source(files)
    threads = resolve_num_threads(num_threads)
    encoder = CorpusEncoder(
        tokenizer=tokenizer,
        inputs=files,
        input_bytes=[state.num_bytes for state in source.states],
        separator=separator,
        text_key=text_key,
        token_bytes=measure_tokens(tokenizer),
        chunk_bytes=CHUNK_BYTES,
        batch_bytes=BATCH_BYTES * threads,
        num_threads=threads,
    )
    # Grown in place: the memory of a block is used again for the next one, which fresh memory for each would cost.
    ids = np.empty(source.num_bytes // _LIKELY_BYTES_PER_ID + 1, id_dtype(tokenizer.vocab_size))
    num_ids = 0

    def take(block: Block) -> None:
        nonlocal num_ids
        end = num_ids + len(block.ids)
        if end > len(ids):
            ids.resize(max(end, 2 * len(ids)), refcheck=False)
        ids[num_ids:end] = block.ids
        num_ids = end
        on_progress(block.consumed_bytes, source.num_bytes)

    encoder.encode(0, Place(), take)
    ids.resize(num_ids, refcheck=False)
    return ids
