"""`encode_corpus` in another process, killed without warning."""

import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from homespun.data import encode, encode_corpus
from homespun.tokenizer import Tokenizer

encode._BATCH_BYTES_PER_THREAD = 20_000
tokenizer = Tokenizer(dict(enumerate([b"<|endoftext|>", *(bytes([b]) for b in range(256))])), [], ["<|endoftext|>"])
print("ready", flush=True)
encode_corpus(tokenizer, sys.argv[1], sys.argv[2], shard_tokens=20_000, num_threads=1)
"""


def start(corpus: Path, out: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, corpus, out], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_kill_in_the_middle_ends_in_the_same_bytes(tmp_path):
    """Oracle: a process that nobody killed. Killed as soon as so many shards are seen."""
    corpus, out = tmp_path / "corpus.txt", tmp_path / "tokens"
    corpus.write_text("".join(f"document {n} " * (n % 90) + "<|endoftext|>" for n in range(1000)))
    for num_shards in (0, 1, 2, 5, 9, 14):
        with start(corpus, out) as process:
            while process.poll() is None and len(list(out.glob("shard-*.npy"))) < num_shards:
                pass
            process.kill()
        assert process.returncode == -signal.SIGKILL
    for directory in (out, tmp_path / "whole"):
        with start(corpus, directory) as process:
            pass
        assert process.returncode == 0
    assert files_in(out) == files_in(tmp_path / "whole")
