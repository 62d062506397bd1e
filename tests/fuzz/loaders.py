"""Every loader of a file format, for any bytes: it reads them or raises a HomespunError, nothing else.

`LOADERS[name]` is called with a directory of its own and a file's bytes; `make_seed(name, directory)` makes a file that
loads. `run.py` feeds them to a coverage-guided fuzzer, `test_loaders.py` to mutations in the ordinary test run.
"""

import base64
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import zstandard

from homespun import checkpoint
from homespun.corpus import read_documents
from homespun.corpus.inputs import InputFile
from homespun.corpus.source import read_source
from homespun.data import TokenDataset, encode_corpus
from homespun.data.manifest import (
    MANIFEST_NAME,
    TOKEN_BYTES_NAME,
    VERSION,
    UnfinishedShard,
    read_unfinished,
    record_path,
)
from homespun.data.shard import shard_path
from homespun.entropy import CorpusEntropy
from homespun.errors import HomespunError
from homespun.optim import AdamW
from homespun.recipe.load import load_recipe
from homespun.records import RunDirectory, write_json_record
from homespun.tokenizer import CountOptions, Tokenizer
from homespun.tokenizer.counting.file import read_counts, read_header
from homespun.tokenizer.counting.job import RECORD_NAME, claim_directory, count_corpus

SEPARATOR = "<|endoftext|>"
DOCUMENTS = ["the cat ate", "a caf\u00e9 \U0001f600", ""]
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"


def make_tokenizer() -> Tokenizer:
    vocab = {0: SEPARATOR.encode(), **{byte + 1: bytes([byte]) for byte in range(256)}, 257: b"th", 258: b"the"}
    return Tokenizer(vocab, [(b"t", b"h"), (b"th", b"e")], [SEPARATOR])


def make_dataset(directory: Path) -> Path:
    """A finished token data set, made once in `directory`."""
    out = directory / "tokens"
    if not out.exists():
        text = directory / "text.txt"
        text.write_text(SEPARATOR.join(DOCUMENTS), encoding="utf-8")
        encode_corpus(make_tokenizer(), text, out, shard_bytes=20)
    return out


def make_model() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model and an optimizer that has taken a step."""
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = AdamW([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    return torch.nn.ModuleDict({"layer": torch.nn.ParameterList([weight])}), optimizer


def make_counts(directory: Path) -> Path:
    """A file of counts, made once in `directory`."""
    out = directory / "seed.counts"
    if not out.exists():
        text = file_in(directory, "a.txt", SEPARATOR.join(DOCUMENTS).encode())
        os.utime(text, ns=(0, 0))  # what is noted of it is then the same wherever it lies
        count_corpus([InputFile(str(text))], out, [SEPARATOR], options=CountOptions(num_threads=1))
    return out


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


def load_unfinished(directory: Path, content: bytes) -> None:
    read_unfinished(file_in(directory, record_path(directory, 0).name, content))


def load_shard(directory: Path, content: bytes, name: str = shard_path(Path(), 0).name) -> None:
    out = make_dataset(directory)
    original = (out / name).read_bytes()
    try:
        file_in(out, name, content)
        dataset = TokenDataset.open(out)
        dataset.verify()
        dataset.count_bytes(dataset[:])
    finally:
        (out / name).write_bytes(original)


def load_token_bytes(directory: Path, content: bytes) -> None:
    load_shard(directory, content, TOKEN_BYTES_NAME)


def load_checkpoint(directory: Path, content: bytes) -> None:
    path = file_in(directory, "step.safetensors", content)
    checkpoint.read_state(path)
    checkpoint.load_checkpoint(path, *make_model())


def load_forged_checkpoint(directory: Path, content: bytes) -> None:
    """Header and data under a hash made anew, so that damage comes past it."""
    text, brace, data = content.rpartition(b"}")
    data = data.lstrip(b" ")
    try:
        header = json.loads(text + brace)
        header["__metadata__"].pop("sha256", None)
        header["__metadata__"]["sha256"] = hashlib.sha256(_canonical(header) + data).hexdigest()
        spelled = _canonical(header)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    spelled += b" " * (-len(spelled) % 8)
    load_checkpoint(directory, len(spelled).to_bytes(8, "little") + spelled + data)


def _canonical(header: object) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def load_counts(directory: Path, content: bytes) -> None:
    read_counts([file_in(directory, "a.counts", content)])


def load_forged_counts(directory: Path, content: bytes) -> None:
    """The same, under a checksum made anew."""
    load_counts(directory, content[:-32] + hashlib.sha256(content[:-32]).digest())


def load_ranges(directory: Path, content: bytes) -> None:
    make_ranges(directory)
    file_in(directory / "b.ranges", RECORD_NAME, content)
    make_ranges(directory)


def make_ranges(directory: Path) -> Path:
    """The record of a count that has begun."""
    header = read_header(make_counts(directory))
    (directory / "b.ranges").mkdir(exist_ok=True)
    claim_directory(directory / "b.ranges", header, read_source([InputFile(str(directory / "a.txt"))]))
    return directory / "b.ranges" / RECORD_NAME


def load_metrics(directory: Path, content: bytes) -> None:
    file_in(directory, "metrics.jsonl", content)
    RunDirectory(directory).read_metrics()


def load_records(directory: Path, content: bytes) -> None:
    """As `result.json`, and as `entropy.json`, of which one is always refused."""
    run = RunDirectory(directory)
    file_in(directory, run.result.name, content)
    file_in(directory, run.entropy.name, content)
    try:
        run.read_result()
    except HomespunError:
        run.read_entropy()


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
    "progress": load_unfinished,
    "shard": load_shard,
    "token bytes": load_token_bytes,
    "checkpoint": load_checkpoint,
    "forged checkpoint": load_forged_checkpoint,
    "counts": load_counts,
    "forged counts": load_forged_counts,
    "ranges": load_ranges,
    "metrics": load_metrics,
    "records": load_records,
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
            record = UnfinishedShard(version=VERSION, origin=made.origin, modified="1", shard=made.shards[0])
            return json.dumps(asdict(record)).encode()
        case "shard":
            return shard_path(make_dataset(directory), 0).read_bytes()
        case "token bytes":
            return (make_dataset(directory) / TOKEN_BYTES_NAME).read_bytes()
        case "checkpoint" | "forged checkpoint":
            buffer = io.BytesIO()
            checkpoint.save_checkpoint(*make_model(), 3, buffer, state={"seed": 1, "list": [2.5, None, {}]})
            return buffer.getvalue()[0 if name == "checkpoint" else 8 :]
        case "counts" | "forged counts":
            return make_counts(directory).read_bytes()
        case "ranges":
            return make_ranges(directory).read_bytes()
        case "metrics":
            return (
                b'{"kind": "train", "step": 1, "tokens": 8, "loss": 2.5, "lr": 0.1, "grad_norm": 1.0, '
                b'"tokens_per_second": 9.0, "mfu": 0.1, "seconds": 1.0}\n'
            )
        case "records":
            entropy = RunDirectory(directory).entropy
            write_json_record(entropy, CorpusEntropy(bits=12.5, num_bytes=7, num_documents=1))
            return entropy.read_bytes()
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
