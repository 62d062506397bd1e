"""Ctrl-C and too little memory during long work in Rust: an exception, and a process that lives on."""

import signal
import subprocess
import sys

import pytest

PREPARE = """
import numpy, os, resource, signal, sys, threading
from homespun.tokenizer import Tokenizer, train_bpe

vocab = {byte: bytes([byte]) for byte in range(256)} | {256: b"ab", 257: b"abab"}
tokenizer = Tokenizer(vocab, [(b"a", b"b"), (b"ab", b"ab")])
calls = {
    "encode": tokenizer.encode,
    "encode_to_numpy": tokenizer.encode_to_numpy,
    "encode_with_offsets": tokenizer.encode_with_offsets,
    "encode_batch": lambda text: tokenizer.encode_batch([text]),
    "train_bpe": lambda text: train_bpe(sys.argv[2], 300, []),
    "stream": lambda text: list(tokenizer.encode_iterable([text])),
    "decode_bytes": lambda text: tokenizer.decode_bytes(numpy.arange(len(text), dtype=numpy.uint32) % 258),
    "main": lambda text: __import__("homespun.cli.main").cli.main.main(sys.argv[3:]),
}
call = calls[sys.argv[1]]
"""
INTERRUPT = """
text = "some words and ever more of them, " * 3_000_000
if sys.argv[1] == "train_bpe":
    text = open(sys.argv[2]).read()
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    print(call(text))
    signal.pause()
except KeyboardInterrupt:
    print("KeyboardInterrupt")
"""
STARVE = """
text = "ab" * 10_000_000
import numpy, homespun.cli.main, homespun.cli.tokenizer.train, homespun.cli.tokenizer.encode
call(text[:1000])
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    print(call(text))
except MemoryError:
    print("MemoryError")
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits address space, measured in /proc")
ENCODERS = ["encode", "encode_to_numpy", "encode_with_offsets", "encode_batch"]
ONE_PRETOKEN = "abbabaabcd" * 2_000_000


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PREPARE + script, *map(str, arguments)]
    # A shell's background job ignores SIGINT, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("method", [*ENCODERS, "stream", "decode_bytes", "train_bpe"])
def test_ctrl_c_during_long_work_raises_keyboard_interrupt(method, tmp_path):
    """Oracle: Python's own exception. A pending Ctrl-C made the first use of NumPy's C interface panic."""
    (tmp_path / "text.txt").write_text(ONE_PRETOKEN)
    done = run(INTERRUPT, method, tmp_path / "text.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "KeyboardInterrupt\n", "")


@pytest.mark.timeout(90)
def test_ctrl_c_ends_a_command_with_130(tmp_path):
    """Oracle: the shells' convention, 128 plus the number of SIGINT."""
    tokenizer, text = tmp_path / "tokenizer", tmp_path / "text.txt"
    text.write_text("some words and ever more of them, " * 3_000_000)
    assert run("tokenizer.save(sys.argv[2])", "encode", tokenizer).returncode == 0
    command = ["tokenizer", "encode", tokenizer, text, "--out", tmp_path / "ids.npy"]
    done = run(INTERRUPT.replace("    signal.pause()\n", ""), "main", "", *command)
    assert (done.stdout, done.stderr) == ("130\n", "homespun: interrupted\n")


@linux
@pytest.mark.timeout(90)
@pytest.mark.parametrize("method", [*ENCODERS, "train_bpe", "stream"])
def test_too_little_memory_raises_memory_error(method, tmp_path):
    """Oracle: Python's own exception. 20 MB in one pre-token need 80 MB for its cells alone, and as much for places.

    Any two neighbours of it merge: elsewhere it could be divided, and would need less.
    """
    (tmp_path / "text.txt").write_text(ONE_PRETOKEN)
    done = run(STARVE, method, tmp_path / "text.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "MemoryError\n", "")


@linux
@pytest.mark.timeout(90)
@pytest.mark.parametrize("num_megabytes", [300, 400])
def test_tokens_as_long_as_the_text_raise_memory_error(num_megabytes, tmp_path):
    """Oracle: Python's own exception. Training has room enough, but not the vocabulary of tokens of megabytes."""
    (tmp_path / "text.txt").write_text(ONE_PRETOKEN)
    done = run(STARVE.replace("100_000_000", f"{num_megabytes}_000_000"), "train_bpe", tmp_path / "text.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "MemoryError\n", "")


@linux
@pytest.mark.timeout(90)
def test_too_little_memory_ends_a_command_with_one_line(tmp_path):
    """Oracle: the contract of bad input: exit code 2, one line, nothing written."""
    (tmp_path / "text.txt").write_text(ONE_PRETOKEN)
    command = ["tokenizer", "train", tmp_path / "text.txt", "--vocab-size", "300", "--out", tmp_path / "tokenizer"]
    done = run(STARVE.replace("call(text[:1000])", ""), "main", "", *command)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "out of memory" in done.stderr
    assert not (tmp_path / "tokenizer").exists()
