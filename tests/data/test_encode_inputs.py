"""Token data sets from many files, of several kinds and places."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from homespun.data import encode, encode_corpus
from homespun.errors import DataError
from refusals import refuses

SEPARATOR = "<|endoftext|>"
DOCUMENTS = [f"the end {n} of the cat {SEPARATOR}" for n in range(40)]


@pytest.fixture
def store():
    """A store behind URLs, empty before and after."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/corpus", recursive=True)


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_patterns_parquet_and_urls_give_the_documents_in_order(tokenizer, tmp_path, store):
    """Oracle: the same documents encoded one by one, a separator after each."""
    for number in range(3):
        pq.write_table(pa.table({"body": DOCUMENTS[number * 10 : number * 10 + 10]}), tmp_path / f"{number}.parquet")
    with store.open("/corpus/last.parquet", "wb") as file:
        pq.write_table(pa.table({"body": DOCUMENTS[30:]}), file)
    inputs = [f"{tmp_path}/*.parquet", "memory://corpus/*"]
    dataset = encode_corpus(tokenizer, inputs, tmp_path / "tokens", text_key="body", shard_bytes=700)
    separator = tokenizer.special_tokens[SEPARATOR]
    assert dataset[:].tolist() == [id_ for d in DOCUMENTS for id_ in (*tokenizer.encode(d, "text"), separator)]
    # Where the text lies is not part of what a data set is.
    store.get("/corpus/last.parquet", str(tmp_path / "3.parquet"))
    encode_corpus(tokenizer, f"{tmp_path}/*.parquet", tmp_path / "again", text_key="body", shard_bytes=700)
    assert files_in(tmp_path / "again") == files_in(tmp_path / "tokens")


class Killed(BaseException):
    """An exception that nothing catches, like a kill."""


@pytest.mark.parametrize("is_rewritten", [False, True])
def test_an_interrupted_encoding_of_urls_resumes_unless_they_have_changed(tokenizer, tmp_path, store, is_rewritten):
    """Oracle: an uninterrupted call. A remote file is never divided, so that each is a shard."""
    for number in range(2):
        with store.open(f"/corpus/{number}.parquet", "wb") as file:
            pq.write_table(pa.table({"text": DOCUMENTS[number * 20 : number * 20 + 20]}), file)
    encode_shard = encode.encode_shard

    def killed_encode(job, task, *arguments):
        if task.index == 1:
            raise Killed
        return encode_shard(job, task, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encode, "encode_shard", killed_encode)
        with pytest.raises(Killed):
            encode_corpus(tokenizer, "memory://corpus/*", tmp_path / "tokens", shard_bytes=300)
    assert (tmp_path / "tokens" / "shard-00000.npy").exists()
    if is_rewritten:
        store.pipe("/corpus/0.parquet", store.cat("/corpus/0.parquet"))
        with refuses(DataError, tmp_path / "tokens", "changed"):
            encode_corpus(tokenizer, "memory://corpus/*", tmp_path / "tokens", shard_bytes=300)
        return
    encode_corpus(tokenizer, "memory://corpus/*", tmp_path / "tokens", shard_bytes=300)
    encode_corpus(tokenizer, "memory://corpus/*", tmp_path / "whole", shard_bytes=300)
    assert files_in(tmp_path / "tokens") == files_in(tmp_path / "whole")
