"""Encoding in parts, run here one after another. On a cluster: tests/integration/test_ray.py."""

import gzip
import json
import os
from pathlib import Path

import pytest

from homespun.cluster import run_tasks
from homespun.data import encode_corpus, parts
from homespun.data.parts import plan_shards
from homespun.errors import DataError
from homespun.tokenizer import Tokenizer
from homespun.tokenizer.parts import Shard

SEPARATOR = "<|endoftext|>"


@pytest.fixture(autouse=True)
def here(monkeypatch) -> None:
    """Every cluster is this process."""
    monkeypatch.setattr(parts, "run_tasks", lambda *given, cluster, **named: run_tasks(*given, cluster=None, **named))


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
@pytest.mark.parametrize(("part_bytes", "shard_tokens"), [(100, 1000), (1500, 100), (1 << 20, 100)])
def test_the_data_set_is_that_of_one_machine(tokenizer, inputs, tmp_path, pattern, part_bytes, shard_tokens):
    """Oracle: the same call without a cluster. A free pattern allows of cuts at separators alone."""
    tokenizer = Tokenizer(tokenizer.vocab, tokenizer.merges, list(tokenizer.special_tokens), pattern=pattern)
    encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_tokens=shard_tokens)
    calls = []
    settings = {"shard_tokens": shard_tokens, "cluster": "here", "part_bytes": part_bytes}
    out = tmp_path / "tokens"
    encode_corpus(tokenizer, inputs, out, on_progress=lambda *call: calls.append(call), **settings)
    assert files_in(out) == files_in(tmp_path / "whole")
    total = sum(Path(path).stat().st_size for path in inputs)
    assert calls[-1] == (total, total)
    assert len(calls) == -(-total // part_bytes)
    encode_corpus(tokenizer, inputs, out, **settings).verify()


class Killed(BaseException):
    """What no one catches, like a kill."""


@pytest.mark.parametrize(("work", "number"), [("encode_part", 4), ("build_shard", 3)])
def test_finished_tasks_are_kept(tokenizer, inputs, tmp_path, monkeypatch, work, number):
    """Oracle: an uninterrupted call, and the times at which the files were written."""
    settings = {"shard_tokens": 500, "cluster": "here", "part_bytes": 1500}
    do = getattr(parts, work)
    out = tmp_path / "tokens"

    def killed_work(encoding, task):
        if task == killed_work.tasks[number]:
            raise Killed
        return do(encoding, task)

    def run_and_note(work, shared, tasks, *, cluster, **named):
        killed_work.tasks = tasks
        return run_tasks(work, shared, tasks, **named)

    with monkeypatch.context() as patched:
        patched.setattr(parts, "run_tasks", run_and_note)
        patched.setattr(parts, work, killed_work)
        with pytest.raises(Killed):
            encode_corpus(tokenizer, inputs, out, **settings)
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    assert len([path for path in kept if path.name.startswith("shard" if work == "build_shard" else "part")]) == number
    (out / "parts" / ".part-000009-of-000012.npy.1.tmp").write_bytes(b"left by a kill")
    written = []
    write = parts._write

    def note_and_write(path, *given, **named):
        written.append(path)
        return write(path, *given, **named)

    monkeypatch.setattr(parts, "_write", note_and_write)
    encode_corpus(tokenizer, inputs, out, **settings)
    assert not set(written) & set(kept)
    encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_tokens=500)
    assert files_in(out) == files_in(tmp_path / "whole")


@pytest.fixture
def begun(tokenizer, inputs, tmp_path) -> Path:
    """A data set of which some parts are made, and no shard."""
    lines = Path(inputs[3]).read_text()
    Path(inputs[3]).write_text("no JSON\n" * 700)
    with pytest.raises(DataError, match="not valid JSON"):
        encode_corpus(tokenizer, inputs, tmp_path / "tokens", cluster="here", part_bytes=1500, shard_tokens=500)
    state = Path(inputs[3]).stat()
    Path(inputs[3]).write_text(lines)
    os.utime(inputs[3], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert list((tmp_path / "tokens" / "parts").glob("*.json"))
    return tmp_path / "tokens"


def test_parts_of_something_else_are_refused(tokenizer, inputs, begun):
    """The input was damaged when the parts were made, and is another now."""
    for settings in ({"cluster": "here", "part_bytes": 1500}, {}):
        with pytest.raises(DataError, match="was begun with inputs"):
            encode_corpus(tokenizer, inputs, begun, shard_tokens=500, **settings)


def test_what_a_cluster_began_one_machine_finishes(tokenizer, inputs, tmp_path, monkeypatch):
    """And the other way: the bytes are the same, whoever wrote them."""
    settings = {"shard_tokens": 500, "part_bytes": 1500}
    encode_corpus(tokenizer, inputs, tmp_path / "whole", shard_tokens=500)

    def fail(*_given):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(parts, "build_shard", fail)
        with pytest.raises(Killed):
            encode_corpus(tokenizer, inputs, tmp_path / "tokens", cluster="here", **settings)
    encode_corpus(tokenizer, inputs, tmp_path / "tokens", **settings)
    assert files_in(tmp_path / "tokens") == files_in(tmp_path / "whole")


def test_a_failure_at_once_leaves_nothing_behind(tokenizer, inputs, tmp_path):
    Path(inputs[0]).write_bytes(b"\xff")
    with pytest.raises(DataError, match="not valid UTF-8"):
        encode_corpus(tokenizer, inputs, tmp_path / "tokens", cluster="here")
    assert not (tmp_path / "tokens").exists()


def test_shards_are_planned_over_the_ends_of_parts():
    """By hand."""
    shards = [Shard(number, 4) for number in range(1, 5)]
    plans = plan_shards(shards, [5, 0, 13, 2], 6)
    assert [[(part.number, start, stop) for part, start, stop in plan.stretches] for plan in plans] == [
        [(1, 0, 5), (3, 0, 1)],
        [(3, 1, 7)],
        [(3, 7, 13)],
        [(4, 0, 2)],
    ]
    assert [str(plan) for plan in plans[:2]] == ["shard-00000.npy", "shard-00001.npy"]
    assert plan_shards(shards[:2], [0, 0], 6) == []
