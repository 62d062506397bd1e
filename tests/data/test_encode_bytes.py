"""Every byte of a token data set, against one made by hand; and what remains of it where the text is damaged."""

import hashlib
import io
import json
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homespun.data import TokenDataset, encode_corpus, range_encoder
from homespun.errors import DataError
from homespun.tokenizer import Tokenizer
from refusals import refuses

SEPARATOR = "<|endoftext|>"
SNIPPETS = [
    SEPARATOR, SEPARATOR, "<|endof", "text|>", "<|other|>", "the ", " the", "cat", " ", "  ", "\n", "\r\n", "'re", "12",
    "\ufeff", "caf\u00e9", "\u4e2d", "\U0001f642", "th" * 40,
]  # fmt: skip


def npy_bytes(ids: list[int], dtype: str) -> bytes:
    """What `numpy.save` writes, its header padded to 128 bytes as docs/design/formats.md says."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array(ids, dtype), version=(1, 0))
    header, data = file.getvalue().split(b"\n", 1)
    return header[:8] + (118).to_bytes(2, "little") + header[10:].rstrip().ljust(117) + b"\n" + data


def files_by_hand(tokenizer: Tokenizer, texts: list[str], shard_lengths: list[int]) -> dict[str, bytes]:
    """Shards and the manifest's figures, made without anything that reads, divides or writes in chunks."""
    ids: list[int] = []
    for number, text in enumerate(texts):
        *closed, last = text.split(SEPARATOR)
        for document in closed:
            ids += [*tokenizer.encode(document, "text"), tokenizer.special_tokens[SEPARATOR]]
        if last:
            ids += tokenizer.encode(last, "text")
            ids += [tokenizer.special_tokens[SEPARATOR]] if number + 1 < len(texts) else []
    assert len(ids) == sum(shard_lengths)
    shards = [ids[end - length : end] for length, end in zip(shard_lengths, accumulate(shard_lengths), strict=True)]
    files = {f"shard-{index:05d}.npy": npy_bytes(shard, "<u2") for index, shard in enumerate(shards)}
    records = [
        {
            "num_tokens": len(shard),
            "num_bytes": len(tokenizer.decode_bytes(shard)),
            "num_separators": shard.count(tokenizer.special_tokens[SEPARATOR]),
            "sha256": hashlib.sha256(np.array(shard, "<u2").tobytes()).hexdigest(),
        }
        for index, shard in enumerate(shards)
    ]
    lengths = [len(tokenizer.id_to_token(id_)) for id_ in range(tokenizer.vocab_size)]
    return files | {"token-bytes.npy": npy_bytes(lengths, "<u4"), "shards": json.dumps(records).encode()}


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from(SNIPPETS), min_size=1).map("".join), min_size=1, max_size=3),
    shard_bytes=st.sampled_from([3, 17, 100, 1 << 20]),
    chunk_bytes=st.sampled_from([1, 7, 40, 1 << 18]),
    num_threads=st.integers(1, 3),
)
def test_a_data_set_is_what_it_is_by_hand(tokenizer, texts, shard_bytes, chunk_bytes, num_threads):
    """Oracle: `files_by_hand`; and as many shards as the text has times `shard_bytes`, or fewer."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patched:
        patched.setattr(range_encoder, "CHUNK_BYTES", chunk_bytes)
        paths = [Path(name, f"{number}.txt") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text.encode())
        out = Path(name, "tokens")
        encode_corpus(tokenizer, paths, out, shard_bytes=shard_bytes, num_threads=num_threads)
        files = {path.name: path.read_bytes() for path in out.iterdir()}
    shards = json.loads(files.pop("manifest.json"))["shards"]
    lengths = [shard["num_tokens"] for shard in shards]
    assert len(shards) <= -(-sum(len(text.encode()) for text in texts) // shard_bytes)
    assert files | {"shards": json.dumps(shards).encode()} == files_by_hand(tokenizer, texts, lengths)


def test_invalid_utf8_late_in_a_text_keeps_the_shards_before_it(tokenizer, tmp_path, monkeypatch):
    """Oracle: the byte's offset, and the ids of the text before the error."""
    monkeypatch.setattr(range_encoder, "CHUNK_BYTES", 100)
    good = f"the end of the cat {SEPARATOR}".encode() * 100
    path, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    path.write_bytes(good + b"caf\xe9 \xff" + good)
    with refuses(DataError, path, f"byte {len(good) + 3}"):
        encode_corpus(tokenizer, path, out, shard_bytes=400)
    kept = sorted(out.glob("shard-*.npy"))
    assert len(kept) == len(good) // 400
    assert not list(out.glob(".*.tmp"))
    ids = np.concatenate([np.load(shard) for shard in kept])
    assert tokenizer.decode_bytes(ids.tolist()) == good[: sum(len(tokenizer.id_to_token(id_)) for id_ in ids.tolist())]


@pytest.mark.parametrize("name", ["corpus.txt", "corpus.jsonl"])
def test_a_text_that_changes_meanwhile_is_refused(tokenizer, tmp_path, name):
    """A data set of a text that changed meanwhile would have no source; nothing of it is kept."""
    path, out = tmp_path / name, tmp_path / "tokens"
    content = "the end\n" if name == "corpus.txt" else '{"text": "the end"}\n'
    path.write_text(content)

    def write_more(done: int, total: int) -> None:
        with path.open("a") as file:
            file.write(content)

    with refuses(DataError, path, "changed"):
        encode_corpus(tokenizer, path, out, on_progress=write_more)
    assert not out.exists()
    assert TokenDataset.open(encode_corpus(tokenizer, path, out).path).num_tokens
