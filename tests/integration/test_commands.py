"""Every command of the README, the tutorial and the other pages, pasted into a shell in the page's order.

Oracle: exit codes, and of a command that is shown to fail, its error. Models and texts are small; the handbook's pages
run in test_handbook.py.
"""

import os
import random
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from homespun.corpus.catalogue import find_text
from homespun.storybook import write_storybook
from pages import read_steps
from shells import Command, paste, read_commands, shrink, write_command

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "index.md"
PAGES = [
    page
    for page in [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs/design").glob("*.md")),
    ]
    if page.name not in ("LOG.md", "CHANGELOG.md") and read_commands(page.read_text(encoding="utf-8"))
]
SEPARATOR = "<|endoftext|>"
ENVIRONMENT = {**os.environ, "I": "3", "OMP_NUM_THREADS": "1"}
"""What the shells have; `I` is the number of a job in the pages on many machines."""
MADE_BEFORE = [Command(0, f"homespun {verb} recipes/demo.yaml") for verb in ("prepare", "train")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[str]:
    """A data hub with one small text."""
    folder = tmp_path_factory.mktemp("hub")
    file = folder / find_text("tinystories-valid").location
    file.parent.mkdir(parents=True)
    write_storybook(file, num_stories=300, seed=1)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def world(tmp_path_factory, hub) -> Path:
    """A folder with what the pages take for granted: the checkout's recipes, texts, a finished run of the demo."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    write_command(folder, hub)
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=8)) for _ in range(30_000)]
    write(folder / "books.txt", " ".join(words))
    write_storybook(folder / "my.txt", num_stories=300, seed=1)
    stories = (folder / "my.txt").read_text(encoding="utf-8")
    write(folder / "text" / "a.jsonl.zst", zstandard.compress(b'{"text": "a story"}\n' * 9))
    for name in ("text/3-a.parquet", "web/3-a.parquet"):
        (folder / name).parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({"text": stories.split(SEPARATOR)}), folder / name)
    for name in ("train.txt", "valid.txt", "taste/train.txt", "taste/valid.txt"):
        write(folder / name, stories)
    write(folder / "data" / "tinystories" / "TinyStoriesV2-GPT4-train.txt", stories)
    tutorial = TUTORIAL.read_text(encoding="utf-8")
    write(folder / "mine.yaml", tutorial.partition("```yaml\n")[2].partition("```")[0])
    paste(MADE_BEFORE, folder, ENVIRONMENT)
    return folder


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.timeout(600)  # a process for each command
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_pages_commands_do_what_they_say(page, world, tmp_path, monkeypatch):
    """Oracle: exit codes; the errors that the page shows."""
    folder = tmp_path / "here"
    shutil.copytree(world, folder, symlinks=True)
    monkeypatch.chdir(folder)
    text = page.read_text(encoding="utf-8")
    if page == TUTORIAL:  # its first step writes the text that it is about
        exec(read_steps(text)[0].text, {})
    if page.name == "training.md":
        exec(read_steps(TUTORIAL.read_text(encoding="utf-8"))[0].text, {})
        paste([Command(0, "homespun prepare mine.yaml")], folder, ENVIRONMENT)
    paste(read_commands(text), folder, ENVIRONMENT)


PLANTED = """\
    $ homespun estimate gpt2-xl
    parameters 3
    homespun report runs/demo        # a remark
    homespun tokenizer verify DIR TEXT...
    FILES="--a b"

    $ homespun train x.yaml --lrr 3
    homespun: error: no such key

    $ homespun train x.yaml
Now press Ctrl-C:
    $ homespun train x.yaml
"""


def test_commands_are_found_where_they_stand():
    """Planted: with a prompt and without, a remark, a form with placeholders, a variable, an error, an interruption."""
    assert read_commands(PLANTED) == [
        Command(1, "homespun estimate gpt2-xl"),
        Command(3, "homespun report runs/demo"),
        Command(5, 'FILES="--a b"'),
        Command(7, "homespun train x.yaml --lrr 3", "homespun: error: no such key"),
        Command(10, "homespun train x.yaml", is_interrupted=True),
        Command(12, "homespun train x.yaml"),
    ]


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (Command(4, "homespun estimate gpt3"), "line 4: homespun estimate gpt3\nhomespun: error: model = 'gpt3'"),
        (Command(5, "homespun --version", "homespun: error: x"), "line 5"),
        (Command(6, "homespun estimate gpt3", "homespun: error: x"), "but the page says\nhomespun: error: x"),
    ],
)
def test_a_command_that_does_otherwise_fails(tmp_path, command, fault):
    """Planted: a command that fails, one that does not but is shown to, one that fails with other words."""
    write_command(tmp_path)
    with pytest.raises(AssertionError, match=fault):
        paste([command], tmp_path, ENVIRONMENT)


def test_commands_are_shrunk():
    """Derived by hand: the page's flags come last, so that they win."""
    assert shrink(["train", "a.yaml", "--training.num_steps", "9"], None)[-2:] == ["--training.num_steps", "9"]
    assert "--source.num_valid_stories=4" in shrink(["prepare", "recipes/demo.yaml"], None)
    assert shrink(["sweep", "a.yaml"], None) == ["sweep", "a.yaml", "--scale", "smoke"]
    assert shrink(["estimate", "gpt2-xl"], None) == ["estimate", "gpt2-xl"]
    assert shrink(["corpus", "get", "x"], "http://a") == ["corpus", "get", "x", "--base-url", "http://a"]
