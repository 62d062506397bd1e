"""Shards as tasks of a cluster, run here one after another. On Ray: tests/integration/test_ray.py."""

import gzip
import json
import os
import pickle
from pathlib import Path

import pytest

from homespun.cluster import run_tasks
from homespun.data import encode, encode_corpus
from homespun.errors import DataError
from homespun.tokenizer import Tokenizer
from refusals import refuses

SEPARATOR = "<|endoftext|>"


@pytest.fixture(autouse=True)
def here(monkeypatch) -> None:
    """Every cluster is this process; what tasks need is pickled as it would be."""

    def run_here(work, shared, tasks, *, cluster=None, **named):
        copied = pickle.loads(pickle.dumps(shared)) if cluster else shared
        return run_tasks(work, copied, tasks, **named)

    monkeypatch.setattr(encode, "run_tasks", run_here)


@pytest.fixture
def inputs(tmp_path) -> list[str]:
    """Plain text, which is divided, and files that are not; some end with a separator, and some do not."""
    documents = [f"the end {number} of the cats\n" for number in range(200)]
    (tmp_path / "a.txt").write_text(SEPARATOR.join(documents))
    (tmp_path / "b.txt").write_text(SEPARATOR.join(documents[:70]) + SEPARATOR)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(SEPARATOR.join(documents[:50]).encode()))
    (tmp_path / "d.jsonl").write_text("".join(json.dumps({"text": document}) + "\n" for document in documents[:99]))
    (tmp_path / "e.txt").write_text("the last")
    return [str(tmp_path / name) for name in ("a.txt", "b.txt", "c.txt.gz", "d.jsonl", "e.txt")]


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("pattern", ["gpt2", r"\w+|\s+|[^\w\s]+"])
@pytest.mark.parametrize("shard_bytes", [100, 1500, 1 << 20])
def test_the_data_set_is_that_of_one_machine(tokenizer, inputs, tmp_path, pattern, shard_bytes):
    """Oracle: the same call without a cluster, and the ids of one shard. A custom pattern allows cuts at separators
    alone.
    """
    tokenizer = Tokenizer(tokenizer.vocab, tokenizer.merges, list(tokenizer.special_tokens), pattern=pattern)
    whole = encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_bytes=shard_bytes)
    single = encode_corpus(tokenizer, inputs, tmp_path / "single")
    assert whole[:].tolist() == single[:].tolist()
    calls = []
    out = tmp_path / "tokens"
    settings = {"shard_bytes": shard_bytes, "cluster": "here"}
    encode_corpus(tokenizer, inputs, out, on_progress=lambda *call: calls.append(call), **settings)
    assert files_in(out) == files_in(tmp_path / "whole")
    total = sum(Path(path).stat().st_size for path in inputs)
    assert calls[-1] == (total, total)
    assert len(calls) >= len(whole.manifest.shards)
    encode_corpus(tokenizer, inputs, out, **settings).verify()


class Killed(BaseException):
    """An exception that nothing catches, like a kill."""


def encode_and_kill(number: int, *arguments, **settings) -> None:
    """Encode until the shard of that number is begun."""
    encode_shard = encode.encode_shard

    def killed_encode(job, task, *more):
        if task.index == number:
            raise Killed
        return encode_shard(job, task, *more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encode, "encode_shard", killed_encode)
        with pytest.raises(Killed):
            encode_corpus(*arguments, **settings)


@pytest.mark.parametrize(("first", "second"), [("here", "here"), ("here", None), (None, "here")])
def test_finished_shards_are_kept_wherever_they_were_made(tokenizer, inputs, tmp_path, first, second):
    """Oracle: an uninterrupted call, and the times at which the files were written."""
    out = tmp_path / "tokens"
    encode_and_kill(4, tokenizer, inputs, out, shard_bytes=1500, cluster=first)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("*.npy")}
    assert len(kept) == 4
    encode_corpus(tokenizer, inputs, out, shard_bytes=1500, cluster=second)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_bytes=1500)
    assert files_in(out) == files_in(tmp_path / "whole")


def test_shards_of_something_else_are_refused(tokenizer, inputs, tmp_path):
    """The input was damaged when the first shards were made, and is another one now, with the same date."""
    lines, out = Path(inputs[3]).read_text(), tmp_path / "tokens"
    Path(inputs[3]).write_text("no JSON\n" * 700)
    with refuses(DataError, f"{inputs[3]}:1"):
        encode_corpus(tokenizer, inputs, out, cluster="here", shard_bytes=1500)
    state = Path(inputs[3]).stat()
    Path(inputs[3]).write_text(lines)
    os.utime(inputs[3], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert list(out.glob("shard-*.json"))
    for cluster in ("here", None):
        with refuses(DataError, out, "inputs"):
            encode_corpus(tokenizer, inputs, out, shard_bytes=1500, cluster=cluster)


def test_a_failure_at_once_leaves_nothing_behind(tokenizer, inputs, tmp_path):
    Path(inputs[0]).write_bytes(b"\xff")
    with refuses(DataError, inputs[0], "byte 0"):
        encode_corpus(tokenizer, inputs, tmp_path / "tokens", cluster="here")
    assert not (tmp_path / "tokens").exists()
