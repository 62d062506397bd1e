"""Corpora behind URLs: in fsspec's memory, and on a server on this machine."""

import gzip
import hashlib
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from homespun.corpus import InputFile, expand_inputs, read_documents
from homespun.corpus.reader import read_batches
from homespun.errors import DataError, DownloadError, MissingFileError, MissingPackageError
from refusals import refuses

SEPARATOR = "<|endoftext|>"
DOCUMENTS = [f"document {n} \u00e9 " * 40 for n in range(100)]


def files() -> dict[str, bytes]:
    """The same documents in files of every kind."""
    text = SEPARATOR.join(DOCUMENTS).encode()
    lines = "".join(json.dumps({"text": document}) + "\n" for document in DOCUMENTS).encode()
    table = io.BytesIO()
    pq.write_table(pa.table({"text": DOCUMENTS}), table, row_group_size=30)
    return {
        "a.txt": text,
        "b.txt.gz": gzip.compress(text),
        "c.jsonl": lines,
        "d.jsonl.zst": zstandard.compress(lines),
        "e.parquet": table.getvalue(),
    }


class Request(BaseHTTPRequestHandler):
    """Serves `files()`, ranges of them too, with their hashes as ETags; "/" lists them, "/locked" is forbidden."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        name = self.path.removeprefix("/").partition("?")[0]
        content = files().get(name)
        if name == "":
            content = "".join(f'<a href="{name}">{name}</a>' for name in files()).encode()
        if content is None:
            self.send_error(403 if name == "locked.txt" else 404)
            return b""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body = content[int(wanted[1]) : int(wanted[2]) + 1] if wanted else content
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {wanted[1]}-{wanted[2]}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        return body

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["memory", "http"])
def base(request) -> Iterator[str]:
    """The URL of the directory that has `files()`."""
    if request.param == "memory":
        store = fsspec.filesystem("memory")
        for name, content in files().items():
            store.pipe(f"/corpus/{name}", content)
        yield "memory://corpus"
        store.rm("/corpus", recursive=True)
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", [*files()])
def test_every_kind_is_read_behind_urls(base, name):
    """Oracle: the documents written."""
    assert list(read_documents(f"{base}/{name}")) == DOCUMENTS


@pytest.mark.parametrize("name", [*files()])
def test_progress_ends_at_the_size_of_the_file(base, name):
    """Oracle: the size that the store states."""
    file = InputFile(f"{base}/{name}")
    batches = list(read_batches(file, separator=SEPARATOR, text_key="text", batch_bytes=1000))
    assert len(batches) > 7
    assert batches[-1].consumed_bytes == file.state().num_bytes


def test_patterns_are_listed_by_the_store(base):
    matches = [str(file) for file in expand_inputs([f"{base}/*.jsonl*", f"{base}/a.txt"])]
    assert [match.rpartition("/")[2] for match in matches] == ["c.jsonl", "d.jsonl.zst", "a.txt"]
    assert [document for match in matches for document in read_documents(match)] == DOCUMENTS * 3


def test_state_is_what_the_store_says(base):
    """Over HTTP the ETag; in memory the time of writing."""
    file = InputFile(f"{base}/c.jsonl")
    assert file.state() == file.state()
    assert file.state().num_bytes == len(files()["c.jsonl"])
    if base.startswith("http"):
        assert file.state().modified == f'"{hashlib.sha256(files()["c.jsonl"]).hexdigest()}"'
        return
    before = file.state()
    fsspec.filesystem("memory").pipe("/corpus/c.jsonl", files()["c.jsonl"])
    assert file.state() != before


def test_missing_files_are_named(base):
    for location in (f"{base}/absent.txt", f"{base}/absent.parquet"):
        with refuses(MissingFileError, location):
            list(read_documents(location))
        with refuses(MissingFileError, location):
            InputFile(location).state()
    with refuses(MissingFileError, "*.csv"):
        expand_inputs(f"{base}/*.csv")


@pytest.mark.parametrize("base", ["http"], indirect=True)
def test_a_refusal_has_its_reason(base):
    for read in (lambda url: list(read_documents(url)), lambda url: InputFile(url).state()):
        with refuses(DownloadError, "locked.txt", "403"):
            read(f"{base}/locked.txt")


def test_an_unreachable_server_is_named():
    with refuses(DownloadError, "127.0.0.1:9/a.txt"):
        list(read_documents("http://127.0.0.1:9/a.txt"))


def test_damage_is_reported_as_for_local_files():
    store = fsspec.filesystem("memory")
    for name, content in files().items():
        store.pipe(f"/damaged/{name}", content[: len(content) // 2])
    for name in ("b.txt.gz", "d.jsonl.zst", "e.parquet"):
        with refuses(DataError, f"memory://damaged/{name}", "truncated"):
            list(read_documents(f"memory://damaged/{name}"))
    store.rm("/damaged", recursive=True)


def test_unknown_protocols_and_missing_packages_are_named(monkeypatch):
    with refuses(DownloadError, "nonsense"):
        InputFile("nonsense://bucket/a.txt").state()
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with refuses(MissingPackageError, "homespun[scale]"):
        InputFile("s3://bucket/a.txt").state()
