"""`encode_corpus` in another process, killed without warning."""

import gzip
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys
from homespun.data import encode_corpus, range_encoder
from homespun.tokenizer import Tokenizer

range_encoder.CHUNK_BYTES = range_encoder.BATCH_BYTES = 20_000
tokenizer = Tokenizer(dict(enumerate([b"<|endoftext|>", *(bytes([b]) for b in range(256))])), [], ["<|endoftext|>"])
print("ready", flush=True)
encode_corpus(tokenizer, sys.argv[2:], sys.argv[1], shard_bytes=40_000, num_threads=2)
"""


def start(inputs: list[Path], out: Path) -> subprocess.Popen[bytes]:
    """A process that is about to encode."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, out, *inputs], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """A text, which Rust reads, and compressed JSON lines, which Python reads: 21 shards each."""
    documents = [f"document {n} " * (n % 90) for n in range(1600)]
    paths = [tmp_path / "corpus.txt", tmp_path / "corpus.jsonl.gz"]
    paths[0].write_text("".join(f"{document}<|endoftext|>" for document in documents))
    lines = "".join(json.dumps({"text": document}) + "\n" for document in documents)
    paths[1].write_bytes(gzip.compress(lines.encode()))
    return paths


@pytest.mark.parametrize("num_kills", [4, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_killed_at_random_moments_it_ends_in_the_same_bytes(tmp_path, inputs, num_kills):
    """Oracle: a process that nobody killed. Each kill comes at any moment of what that one took, and the next process
    goes on; where one finishes before it is killed, another begins anew.
    """
    whole, out = tmp_path / "whole", tmp_path / "tokens"
    with start(inputs, whole) as process:
        began = time.perf_counter()
    assert process.returncode == 0
    seconds = time.perf_counter() - began
    moments = random.Random(0)
    num_done = 0
    while num_done < num_kills:
        with start(inputs, out) as process:
            try:
                process.wait(moments.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
        if process.returncode == -signal.SIGKILL:
            num_done += 1
            continue
        assert process.returncode == 0
        assert files_in(out) == files_in(whole)
        shutil.rmtree(out)
    with start(inputs, out) as process:
        pass
    assert process.returncode == 0
    assert files_in(out) == files_in(whole)


def test_killed_between_two_shards_it_goes_on_after_the_last(tmp_path, inputs):
    """Oracle: a process that nobody killed, and the times at which shards were written. Killed at so many."""
    whole, out = tmp_path / "whole", tmp_path / "tokens"
    kept: dict[Path, int] = {}
    for num_shards in (1, 2, 9, 25):
        with start(inputs, out) as process:
            while process.poll() is None and len(list(out.glob("shard-*.npy"))) < num_shards:
                pass
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
        # The last one may have taken its name without having been noted: then it is made again.
        kept = {path: path.stat().st_mtime_ns for path in sorted(out.glob("shard-*.npy"))[:-1]}
    for directory in (out, whole):
        with start(inputs, directory) as process:
            pass
        assert process.returncode == 0
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    assert files_in(out) == files_in(whole)
