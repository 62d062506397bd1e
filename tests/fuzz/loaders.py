"""Every loader of a file format, for any bytes: it reads them or raises a HomespunError, nothing else.

`LOADERS[name]` is called with a directory of its own and a file's bytes; `make_seed(name, directory)` makes a file that
loads. `run.py` feeds them to a coverage-guided fuzzer, `test_loaders.py` to mutations in the ordinary test run.
"""

import base64
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import zstandard

from homespun.checkpoint import load_model, read_state, save_checkpoint
from homespun.corpus import read_documents
from homespun.data import TokenDataset, encode_corpus
from homespun.data.manifest import (
    MANIFEST_NAME,
    PROGRESS_NAME,
    PROGRESS_VERSION,
    Cursor,
    Progress,
    read_progress,
    shard_path,
)
from homespun.errors import HomespunError
from homespun.optim import SGD
from homespun.records import RunDirectory
from homespun.tokenizer import Tokenizer
from homespun.tokenizer.count_corpus import count_corpus
from homespun.tokenizer.counts_file import read_counts
from homespun.tokenizer.journal import Journal, JournalOrigin
from homespun.training.recipe import load_recipe

SEPARATOR = "<|endoftext|>"
DOCUMENTS = ["the cat ate", "a caf\u00e9 \U0001f600", ""]
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"
ORIGIN = JournalOrigin(counts_sha256="0" * 64, special_tokens=[], ties="bytes", extends=None)


def make_tokenizer() -> Tokenizer:
    vocab = {0: SEPARATOR.encode(), **{byte + 1: bytes([byte]) for byte in range(256)}, 257: b"th", 258: b"the"}
    return Tokenizer(vocab, [(b"t", b"h"), (b"th", b"e")], [SEPARATOR])


def make_dataset(directory: Path) -> Path:
    """A finished token data set, made once in `directory`."""
    out = directory / "tokens"
    if not out.exists():
        text = directory / "text.txt"
        text.write_text(SEPARATOR.join(DOCUMENTS), encoding="utf-8")
        encode_corpus(make_tokenizer(), text, out, shard_tokens=8)
    return out


def make_model() -> torch.nn.Module:
    return torch.nn.ModuleDict({"layer": torch.nn.ParameterList([torch.nn.Parameter(torch.ones(2, 3))])})


def file_in(directory: Path, name: str, content: bytes) -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


def load_tokenizer_json(directory: Path, content: bytes) -> None:
    file_in(directory, "tokenizer.json", content)
    Tokenizer.load(directory).encode("the end")


def load_vocab_and_merges(directory: Path, content: bytes) -> None:
    vocab, _, merges = content.partition(b"\0")
    Tokenizer.from_files(file_in(directory, "vocab.json", vocab), file_in(directory, "merges.txt", merges))


def load_tiktoken(directory: Path, content: bytes) -> None:
    Tokenizer.from_tiktoken(file_in(directory, "a.tiktoken", content), {SEPARATOR: 300}, pattern="gpt4")


def load_manifest(directory: Path, content: bytes) -> None:
    out = make_dataset(directory)
    original = (out / MANIFEST_NAME).read_bytes()
    try:
        file_in(out, MANIFEST_NAME, content)
        TokenDataset.open(out).verify()
    finally:
        (out / MANIFEST_NAME).write_bytes(original)


def load_progress(directory: Path, content: bytes) -> None:
    file_in(directory, PROGRESS_NAME, content)
    read_progress(directory)


def load_shard(directory: Path, content: bytes) -> None:
    out = make_dataset(directory)
    original = shard_path(out, 0).read_bytes()
    try:
        shard_path(out, 0).write_bytes(content)
        TokenDataset.open(out).verify()
    finally:
        shard_path(out, 0).write_bytes(original)


def load_checkpoint(directory: Path, content: bytes) -> None:
    path = file_in(directory, "step.safetensors", content)
    read_state(path)
    load_model(path, make_model())


def load_counts(directory: Path, content: bytes) -> None:
    read_counts([file_in(directory, "a.counts", content)])


def load_journal(directory: Path, content: bytes) -> None:
    with Journal(file_in(directory, "a.journal", content), ORIGIN):
        pass


def load_metrics(directory: Path, content: bytes) -> None:
    file_in(directory, "metrics.jsonl", content)
    RunDirectory(directory).read_metrics()


def load_yaml(directory: Path, content: bytes) -> None:
    load_recipe(file_in(directory, "recipe.yaml", content), [])


def reader_of(name: str) -> Callable[[Path, bytes], None]:
    def load(directory: Path, content: bytes) -> None:
        for _ in read_documents(file_in(directory, name, content)):
            pass

    return load


LOADERS: dict[str, Callable[[Path, bytes], None]] = {
    "tokenizer.json": load_tokenizer_json,
    "vocab.json and merges.txt": load_vocab_and_merges,
    "tiktoken": load_tiktoken,
    "manifest": load_manifest,
    "progress": load_progress,
    "shard": load_shard,
    "checkpoint": load_checkpoint,
    "counts": load_counts,
    "journal": load_journal,
    "metrics": load_metrics,
    "recipe": load_yaml,
    "text": reader_of("a.txt"),
    "jsonl": reader_of("a.jsonl"),
    "gz": reader_of("a.txt.gz"),
    "zst": reader_of("a.jsonl.zst"),
    "parquet": reader_of("a.parquet"),
}


def check(name: str, directory: Path, content: bytes) -> bool:
    """Whether `content` loads; any error that is not homespun's own passes through."""
    try:
        LOADERS[name](directory, content)
    except HomespunError:
        return False
    return True


def make_seed(name: str, directory: Path) -> bytes:
    """A file that loads."""
    tokenizer = make_tokenizer()
    lines = "".join(json.dumps({"text": document}) + "\n" for document in DOCUMENTS).encode()
    text = SEPARATOR.join(DOCUMENTS).encode()
    match name:
        case "tokenizer.json" | "vocab.json and merges.txt":
            tokenizer.save(directory)
            if name == "tokenizer.json":
                return (directory / name).read_bytes()
            return (directory / "vocab.json").read_bytes() + b"\0" + (directory / "merges.txt").read_bytes()
        case "tiktoken":
            tokens = sorted(tokenizer.vocab.items())[1:]
            return b"".join(b"%b %d\n" % (base64.b64encode(token), id_) for id_, token in tokens)
        case "manifest":
            return (make_dataset(directory) / MANIFEST_NAME).read_bytes()
        case "progress":
            made = TokenDataset.open(make_dataset(directory)).manifest
            cursor = Cursor(input_index=0, offset=4, line=1, num_done=2)
            part = Progress(
                version=PROGRESS_VERSION, origin=made.origin, modified=["1"], shards=made.shards, cursor=cursor
            )
            return json.dumps(asdict(part)).encode()
        case "shard":
            return shard_path(make_dataset(directory), 0).read_bytes()
        case "checkpoint":
            buffer, model = io.BytesIO(), make_model()
            save_checkpoint(model, SGD(model.parameters(), lr=1.0), 3, buffer, state={"seed": 1})
            return buffer.getvalue()
        case "counts":
            file_in(directory, "a.txt", text)
            count_corpus(directory / "a.txt", directory / "seed.counts", [SEPARATOR])
            return (directory / "seed.counts").read_bytes()
        case "journal":
            with Journal(directory / "seed.journal", ORIGIN) as journal:
                journal.append([(b"t", b"h"), (b"th", b"e")])
            return (directory / "seed.journal").read_bytes()
        case "metrics":
            return (
                b'{"kind": "train", "step": 1, "tokens": 8, "loss": 2.5, "lr": 0.1, "grad_norm": 1.0, '
                b'"tokens_per_second": 9.0, "mfu": 0.1, "seconds": 1.0}\n'
            )
        case "recipe":
            return RECIPE.read_bytes()
        case "text":
            return text
        case "jsonl":
            return lines
        case "gz":
            return gzip.compress(text, mtime=0)
        case "zst":
            return zstandard.compress(lines)
        case _:
            sink = pa.BufferOutputStream()
            pq.write_table(pa.table({"text": DOCUMENTS}), sink)
            return sink.getvalue().to_pybytes()
