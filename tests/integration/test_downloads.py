"""Downloads from a server on this machine that misbehaves in every way that servers have been seen to."""

import errno
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homespun.cli.main import main
from homespun.corpus import catalogue, downloads
from homespun.corpus.downloads import Download, Patience, download
from homespun.errors import DownloadError, StorageError
from refusals import refuses

CONTENT = bytes(i * i % 251 for i in range(200_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Request(BaseHTTPRequestHandler):
    """One request, answered by the next of the server's scripted behaviours, or the last for ever."""

    server: "Server"

    def do_GET(self) -> None:
        behaviours = self.server.behaviours
        self.server.ranges.append(self.headers.get("Range"))
        behave = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        behave(self)

    def send(
        self,
        *,
        content: bytes = CONTENT,
        etag: str | None = '"one"',
        status: int | None = None,
        sent_bytes: int | None = None,
        stated_bytes: int | None = None,
        honours_range: bool = True,
        then_stalls: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer as a good server does, but for what the arguments say."""
        wanted = self.headers.get("Range") if honours_range and self.headers.get("If-Range") == etag else None
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(content):
            status = 416
        body = content[start:]
        self.send_response(status or (206 if wanted else 200))
        if wanted and status is None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if etag:
            self.send_header("ETag", etag)
        if stated_bytes != -1:
            self.send_header("Content-Length", str(len(body) if stated_bytes is None else stated_bytes))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:sent_bytes])
        self.wfile.flush()
        if then_stalls:
            self.server.released.wait(20)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


Behaviour = Callable[[Request], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.behaviours: list[Behaviour] = [Request.send]
        self.ranges: list[str | None] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/text.txt"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is part of the play."""


def sending(**how: object) -> Behaviour:
    return lambda request: request.send(**how)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@dataclass
class Pauses:
    """Stands in for sleep, and notes what would have been slept."""

    seconds: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def fetch(server: Server, path: Path, *, attempts: int = 3, stall_seconds: float = 5.0, **known: object) -> Download:
    patience = Patience(attempts=attempts, stall_seconds=stall_seconds, sleep=Pauses())
    return download(server.url, path, patience=patience, **known)


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_first_download_records_the_hash(server, tmp_path):
    """Oracle: hashlib over the content; the record is in the format of sha256sum."""
    calls = []
    path = tmp_path / "new" / "text.txt"
    result = download(server.url, path, on_progress=lambda *call: calls.append(call))
    record = path.with_name("text.txt.sha256")
    assert result == Download(path=path, num_bytes=len(CONTENT), sha256=SHA256, was_present=False, record=record)
    assert path.read_bytes() == CONTENT
    assert record.read_text() == f"{SHA256}  text.txt\n"
    assert names_in(path.parent) == ["text.txt", "text.txt.sha256"]
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_what_is_there_is_checked_and_not_fetched(server, tmp_path):
    path = tmp_path / "text.txt"
    fetch(server, path)
    again = fetch(server, path)
    assert (again.was_present, again.record, len(server.ranges)) == (True, None, 1)
    path.write_bytes(b"altered")
    with refuses(DownloadError, path, SHA256):
        fetch(server, path)
    assert path.read_bytes() == b"altered"


def test_a_known_hash_is_not_recorded(server, tmp_path):
    result = fetch(server, tmp_path / "text.txt", sha256=SHA256, num_bytes=len(CONTENT))
    assert result.record is None
    assert names_in(tmp_path) == ["text.txt"]


def test_cut_connections_are_taken_up_where_they_broke(server, tmp_path):
    server.behaviours = [sending(sent_bytes=70_000), sending(sent_bytes=50_000), sending()]
    fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert (tmp_path / "text.txt").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=70000-", "bytes=120000-"]


def test_a_later_call_goes_on_with_the_part_that_is_kept(server, tmp_path):
    path = tmp_path / "text.txt"
    server.behaviours = [sending(sent_bytes=70_000), sending(sent_bytes=0)]
    with refuses(DownloadError, server.url, "3 times", "70,000 bytes", part_of(path)):
        fetch(server, path)
    assert part_of(path).read_bytes() == CONTENT[:70_000]
    assert not path.exists()
    server.behaviours = [sending()]
    fetch(server, path, sha256=SHA256)
    assert server.ranges[-1] == "bytes=70000-"
    assert names_in(tmp_path) == ["text.txt"]


def test_a_stalled_connection_is_given_up_and_taken_up_again(server, tmp_path):
    server.behaviours = [sending(sent_bytes=70_000, then_stalls=True), sending()]
    fetch(server, tmp_path / "text.txt", stall_seconds=0.2, sha256=SHA256)
    assert server.ranges == [None, "bytes=70000-"]


def test_pauses_double_and_tries_are_bounded(server, tmp_path):
    """By hand: five tries that bring nothing are four pauses apart."""
    server.behaviours = [sending(status=503)]
    pauses = Pauses()
    with refuses(DownloadError, server.url, 503, "5 times"):
        download(server.url, tmp_path / "text.txt", patience=Patience(attempts=5, backoff_seconds=0.5, sleep=pauses))
    assert pauses.seconds == [0.5, 1.0, 2.0, 4.0]
    assert len(server.ranges) == 5


def test_every_wait_is_announced(server, tmp_path):
    """Nothing is waited for in silence: the server at first, then each pause, with its cause and its length."""
    server.behaviours = [sending(status=503)]
    told = []

    def pause(seconds: float) -> None:
        assert told[-1].endswith(f" {seconds:.0f} s")

    patience = Patience(attempts=3, backoff_seconds=2, sleep=pause)
    with refuses(DownloadError, server.url):
        download(server.url, str(tmp_path / "text.txt"), patience=patience, on_message=told.append)
    assert server.url in told[0]
    assert [("503" in line, f"attempt {n} of 3" in line) for n, line in enumerate(told[1:], 2)] == [(True, True)] * 2


def test_tries_that_bring_much_do_not_count(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_WORTHWHILE_BYTES", 10_000)
    server.behaviours = [sending(sent_bytes=20_000)]
    fetch(server, tmp_path / "text.txt", attempts=2, sha256=SHA256)
    assert len(server.ranges) == 10


def test_a_server_that_ignores_ranges_is_asked_for_the_whole(server, tmp_path):
    server.behaviours = [sending(sent_bytes=70_000), sending(honours_range=False)]
    fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert (tmp_path / "text.txt").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_cuts_for_ever_is_given_up(server, tmp_path, monkeypatch):
    """What it brings again is no progress, however much it is."""
    monkeypatch.setattr(downloads, "_WORTHWHILE_BYTES", 10_000)
    server.behaviours = [sending(sent_bytes=70_000, honours_range=False)]
    with refuses(DownloadError, server.url, "3 times"):
        fetch(server, tmp_path / "text.txt")
    assert len(server.ranges) == 3


@pytest.mark.parametrize("second", [{"etag": '"two"'}, {"etag": None}])
def test_a_file_that_changed_in_between_is_fetched_anew(server, tmp_path, second):
    """Oracle: the new content, all of it, with nothing of the old in front."""
    newer = CONTENT[::-1]
    server.behaviours = [sending(sent_bytes=70_000), sending(content=newer, **second)]
    fetch(server, tmp_path / "text.txt")
    assert (tmp_path / "text.txt").read_bytes() == newer


def test_a_part_of_another_file_is_not_appended(server, tmp_path):
    """A server that honours the range although the tag it states now is another."""

    def send_other_part(request: Request) -> None:
        request.headers.replace_header("If-Range", '"two"')
        request.send(content=CONTENT[::-1], etag='"two"')

    server.behaviours = [sending(sent_bytes=70_000), send_other_part, sending()]
    fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert server.ranges == [None, "bytes=70000-", None]


def test_without_a_strong_tag_nothing_is_taken_up(server, tmp_path):
    server.behaviours = [sending(sent_bytes=70_000, etag='W/"one"'), sending()]
    fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert server.ranges == [None, None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_refusals_are_final(server, tmp_path, status):
    server.behaviours = [sending(status=status)]
    with refuses(DownloadError, server.url, status):
        fetch(server, tmp_path / "text.txt")
    assert len(server.ranges) == 1
    assert names_in(tmp_path) == []


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    path = tmp_path / "text.txt"
    server.behaviours = [sending(sent_bytes=70_000), sending(sent_bytes=0), sending(status=416), sending()]
    fetch(server, path, attempts=4, sha256=SHA256)
    assert server.ranges[-1] is None


def test_a_stated_length_beyond_what_comes_is_a_cut(server, tmp_path):
    path = tmp_path / "text.txt"
    server.behaviours = [sending(stated_bytes=len(CONTENT) + 1)]
    with refuses(DownloadError, server.url, "3 times"):
        fetch(server, path)
    assert not path.exists()


def test_a_stated_length_below_what_comes_is_caught_by_the_hash(server, tmp_path):
    server.behaviours = [sending(stated_bytes=1000)]
    with refuses(DownloadError, server.url, SHA256, "removed"):
        fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert names_in(tmp_path) == []


def test_another_length_than_known_is_refused_before_fetching(server, tmp_path):
    with refuses(DownloadError, server.url, "200,000 bytes", "200,001"):
        fetch(server, tmp_path / "text.txt", num_bytes=200_001)
    assert names_in(tmp_path) == []


def test_an_unstated_length_is_refused_where_nothing_could_tell_a_cut(server, tmp_path):
    server.behaviours = [sending(stated_bytes=-1)]
    with refuses(DownloadError, server.url):
        fetch(server, tmp_path / "text.txt")
    fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert (tmp_path / "text.txt").read_bytes() == CONTENT


def test_wrong_bytes_are_removed_and_the_error_says_so(server, tmp_path):
    server.behaviours = [sending(content=CONTENT[:-1] + b"x")]
    with refuses(DownloadError, server.url, "removed"):
        fetch(server, tmp_path / "text.txt", sha256=SHA256)
    assert names_in(tmp_path) == []


def test_the_hash_that_the_hub_announces_is_checked(server, tmp_path):
    """The hub answers with a redirect to its store and names the sha256 in X-Linked-Etag."""

    def redirect(request: Request) -> None:
        announced = {"Location": "/store", "X-Linked-Etag": f'"{SHA256}"'}
        request.send(status=302, content=b"", headers=announced)

    server.behaviours = [redirect, sending(content=CONTENT[::-1])]
    with refuses(DownloadError, server.url, SHA256):
        fetch(server, tmp_path / "text.txt")
    server.behaviours = [redirect, sending()]
    assert fetch(server, tmp_path / "text.txt").record is not None


def test_a_full_disk_keeps_the_part(server, tmp_path, monkeypatch):
    """The disk is full once 100,000 bytes have come; oracle: the part holds them, and the next call goes on."""
    path = tmp_path / "text.txt"

    def fail(done: int, total: int) -> None:
        if done > 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    with refuses(StorageError, path, "the disk is full"):
        download(server.url, path, sha256=SHA256, on_progress=fail)
    kept = part_of(path).stat().st_size
    assert kept > 100_000
    fetch(server, path, sha256=SHA256)
    assert server.ranges == [None, f"bytes={kept}-"]


def test_a_closed_port_and_a_bad_url_are_one_error(tmp_path):
    patience = Patience(attempts=2, sleep=Pauses())
    with refuses(DownloadError, "127.0.0.1:9", "2 times"):
        download("http://127.0.0.1:9/text.txt", tmp_path / "text.txt", patience=patience)
    with refuses(DownloadError, "ftp://127.0.0.1/text.txt", "http://"):
        download("ftp://127.0.0.1/text.txt", tmp_path / "text.txt", patience=patience)


def test_damaged_notes_start_over(server, tmp_path):
    path = tmp_path / "text.txt"
    part_of(path).write_bytes(b"junk")
    path.with_name("text.txt.part.json").write_text(json.dumps({"url": server.url}))
    fetch(server, path, sha256=SHA256)
    assert path.read_bytes() == CONTENT


def test_corpus_get_prints_what_it_recorded(server, tmp_path, capsys):
    out = tmp_path / "valid.txt"
    base = server.url.removesuffix("/text.txt")
    assert main(["corpus", "get", "tinystories-valid", "--out", str(out), "--base-url", base]) == 0
    printed = capsys.readouterr().out
    assert f"{out}: 200,000 bytes" in printed
    assert f"recorded in {out}.sha256" in printed
    server.behaviours = [sending(status=404)]
    assert main(["corpus", "get", "openwebtext", "--out", str(tmp_path / "owt.gz"), "--base-url", base]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 2  # what it waits for, and the error
    assert "404" in error


def test_corpus_list_names_every_text(capsys):
    assert main(["corpus", "list"]) == 0
    printed = capsys.readouterr().out
    assert all(text.name in printed and text.licence in printed for text in catalogue.NAMED_TEXTS.values())


def test_an_unknown_name_is_one_line(capsys):
    assert main(["corpus", "get", "tinystoris"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
