"""`train_bpe` with a journal in another process, killed without warning."""

import signal
import subprocess
import sys
from pathlib import Path

from homespun.tokenizer import train_bpe

SCRIPT = """
import sys
from homespun.tokenizer import train, train_bpe

train.JOURNAL_SECONDS = 0.0
print("ready", flush=True)
train_bpe(sys.argv[1], 1_500, [], journal=sys.argv[2])
"""


def start(corpus: Path, journal: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, corpus, journal], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_kill_in_the_middle_ends_in_the_same_merges(tmp_path):
    """Oracle: a training that nobody killed, without a journal. Killed as soon as so many bytes are seen."""
    corpus, journal = tmp_path / "corpus.txt", tmp_path / "merges.journal"
    corpus.write_text(" ".join(f"{n * n:x}" for n in range(3_000)))
    for num_bytes in (0, 1, 2_000, 9_000, 20_000):
        with start(corpus, journal) as process:
            while process.poll() is None and size_of(journal) < num_bytes:
                pass
            process.kill()
        assert process.returncode in (0, -signal.SIGKILL)
    before = size_of(journal)
    assert train_bpe(corpus, 2_000, [], journal=journal) == train_bpe(corpus, 2_000, [])
    assert size_of(journal) > before > 0
