"""Counts divided into tasks, run here one after another. On a cluster: tests/integration/test_ray.py."""

import gzip
import json
from pathlib import Path

import pytest

from homespun.corpus import expand_inputs
from homespun.corpus.source import read_source
from homespun.errors import ConfigError, DataError
from homespun.progress import ignore_progress
from homespun.tokenizer import count_on_cluster as module
from homespun.tokenizer.count_corpus import count_corpus
from homespun.tokenizer.count_job import CountJob
from homespun.tokenizer.count_on_cluster import count_on_cluster
from homespun.tokenizer.patterns import resolve_pattern

END = "<|endoftext|>"


@pytest.fixture
def inputs(tmp_path) -> list[str]:
    """Plain text, which is divided, and files that are not."""
    documents = [f"document {number}: the cat's {number % 7} hats\n" for number in range(400)]
    (tmp_path / "a.txt").write_text(END.join(documents))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(END.join(documents[:50]).encode()))
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": document}) + "\n" for document in documents[:99]))
    (tmp_path / "d.txt").write_text("x")
    return [str(tmp_path / name) for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.txt")]


def job_for(inputs: list[str], segment_bytes: int) -> CountJob:
    files = expand_inputs(inputs)
    return CountJob(
        files=files,
        source=read_source(files),
        special_tokens=[END],
        regex=resolve_pattern("gpt2"),
        text_key="text",
        num_threads=1,
        chunk_bytes=100,
        max_memory_bytes=None,
        segment_bytes=segment_bytes,
    )


@pytest.mark.parametrize("segment_bytes", [150, 1000, 1 << 20])
def test_the_file_is_that_of_one_machine(inputs, tmp_path, segment_bytes):
    """Oracle: `count_corpus`. The smallest segments give more files than are added up at once."""
    expected = count_corpus(inputs, tmp_path / "whole.counts", [END])
    calls = []
    out = tmp_path / "tasks.counts"
    assert count_on_cluster(job_for(inputs, segment_bytes), out, None, lambda *call: calls.append(call)) == expected
    assert out.read_bytes() == (tmp_path / "whole.counts").read_bytes()
    assert not (tmp_path / "tasks.counts.partial").exists()
    total = sum(Path(path).stat().st_size for path in inputs)
    assert calls[-1] == (total, total)
    assert count_on_cluster(job_for(inputs, segment_bytes), out, None, ignore_progress) == expected


class Killed(BaseException):
    """What no one catches, like a kill."""


def test_finished_tasks_are_kept(inputs, tmp_path, monkeypatch):
    """Oracle: an uninterrupted call, and the times at which the files were written."""
    job, out = job_for(inputs, 1000), tmp_path / "tasks.counts"
    count_shard = module._count_shard

    def killed_count(shared, shard):
        if shard.number == 5:
            raise Killed
        return count_shard(shared, shard)

    with monkeypatch.context() as patched:
        patched.setattr(module, "_count_shard", killed_count)
        with pytest.raises(Killed):
            count_on_cluster(job, out, None, ignore_progress)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "tasks.counts.partial").glob("*.counts")}
    assert len(kept) == 4
    merge = module._native.merge_counts_files

    def check_and_merge(paths, *others):
        assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in paths}.items()
        return merge(paths, *others)

    monkeypatch.setattr(module._native, "merge_counts_files", check_and_merge)
    count_on_cluster(job, out, None, ignore_progress)
    count_corpus(inputs, tmp_path / "whole.counts", [END])
    assert out.read_bytes() == (tmp_path / "whole.counts").read_bytes()


def test_what_was_begun_with_other_settings_is_refused(inputs, tmp_path):
    out = tmp_path / "tasks.counts"
    Path(inputs[2]).write_text("no JSON\n")
    with pytest.raises(DataError, match="not valid JSON"):
        count_on_cluster(job_for(inputs, 1000), out, None, ignore_progress)
    with pytest.raises(DataError, match=r"tasks\.counts\.partial: was counted with inputs"):
        count_on_cluster(job_for(inputs[:2], 1000), out, None, ignore_progress)


def test_a_failure_at_once_leaves_nothing_behind(inputs, tmp_path):
    Path(inputs[0]).write_bytes(b"\xff")
    with pytest.raises(DataError, match="not valid UTF-8"):
        count_on_cluster(job_for(inputs, 1000), tmp_path / "tasks.counts", None, ignore_progress)
    assert not (tmp_path / "tasks.counts.partial").exists()


def test_a_shard_is_not_counted_on_a_cluster(inputs, tmp_path):
    from homespun.tokenizer.parts import Shard

    with pytest.raises(ConfigError, match="give a shard or a cluster"):
        count_corpus(inputs, tmp_path / "a.counts", [END], shard=Shard(1, 2), cluster="auto")
