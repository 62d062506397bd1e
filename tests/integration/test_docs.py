"""What the documentation says can be done: its Python runs, its commands and flags exist, its files are there."""

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
import torch

from homespun.checkpoint import save_checkpoint
from homespun.cli.main import COMMANDS, main, subcommands
from homespun.optim import SGD

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIAL = ROOT / "docs" / "index.md"
# Files that a dated record of the log used, and that have another name by now.
RENAMED = {("LOG.md", "recipes/tinystories-sip.yaml")}
PREPARE = "from homespun.cli.main import main\n\nassert main(['prepare', 'mine.yaml']) == 0\n"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of `page` in `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> set[tuple[str, ...]]:
    """Every `homespun ...` of `page`: lines of indented blocks and spans of code, as words."""
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4,}(?:\$ )?homespun (.+?)(?: {3,}.*)?$", text, flags=re.MULTILINE)
    spans = re.findall(r"`homespun ([^`]+)`", text)
    return {tuple(line.partition(" #")[0].split()) for line in [*lines, *spans] if not line.startswith("error:")}


@cache
def help_of(*command: str) -> str:
    """What `homespun COMMAND --help` prints."""
    with redirect_stdout(StringIO()) as printed:
        assert main([*command, "--help"]) == 0
    return printed.getvalue()


def run(program: str, folder: Path) -> str:
    """Run `program` in `folder`, in an interpreter of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=28, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorials_python_runs_from_top_to_bottom(tmp_path):
    """Oracle: its own asserts. `prepare`, which it calls as a command, stands where the tutorial has it."""
    (recipe,) = blocks(TUTORIAL, "yaml")
    (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
    text, *rest = blocks(TUTORIAL, "python")
    assert run("\n".join([text, PREPARE, *rest]), tmp_path)


def test_the_tutorials_story_is_what_its_code_prints(tmp_path):
    """Oracle: the code. A story is the same on every machine, so that the tutorial's can be compared to the letter."""
    (code,) = [block for block in blocks(TUTORIAL, "python") if "generate_stories" in block]
    _, printed = TUTORIAL.read_text(encoding="utf-8").split(f"{code}```\n\n")
    assert printed.startswith(textwrap.indent(run(code, tmp_path), "    "))


def test_the_formats_code_tells_an_intact_checkpoint(tmp_path):
    """Oracle: a checkpoint as saved, and the same with one byte changed."""
    (code,) = blocks(ROOT / "docs" / "design" / "formats.md", "python")
    names: dict = {}
    exec(code, names)
    model, path = torch.nn.ParameterDict({"weight": torch.nn.Parameter(torch.arange(6.0))}), tmp_path / "a.safetensors"
    save_checkpoint(model, SGD(model.parameters(), lr=0.1), 3, path)
    assert names["is_intact"](path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not names["is_intact"](path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_flags_exist(page):
    """Oracle: the table of commands, and each command's own help."""
    for name, *arguments in commands(page):
        if name.startswith("-") or not name.islower():
            assert name in ("COMMAND", "--help", "--version"), f"{page.name}: homespun {name}"
            continue
        # "homespun demo, corpus, ..." names several.
        assert name.rstrip(",") in COMMANDS, f"{page.name}: homespun {name}"
        command = [name]
        if subcommands(name):
            if not arguments or arguments[0].isupper() or arguments[0] == "--help":  # NAME: any of them
                continue
            assert arguments[0] in subcommands(name), f"{page.name}: homespun {name} {arguments[0]}"
            command.append(arguments[0])
        for flag in re.findall(r"(?<!\S)(--[\w.-]+)", " ".join(arguments)):
            if flag not in ("--help", "--key.sub") and "lrr" not in flag:
                assert flag in help_of(*command), f"{page.name}: homespun {' '.join(command)} {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    """Oracle: the file system; and of `file::test`, that the file has a function of that name."""
    text = page.read_text(encoding="utf-8")
    folders = "benchmarks|crates|docs|examples|recipes|src|tests|tools"
    for path, _, function in re.findall(rf"(?<![\w/.])((?:{folders})/[\w./-]*[\w/])(::(\w+))?", text):
        if path.endswith(("/results", "/runs")) or "/NAME." in path or (page.name, path) in RENAMED:
            continue
        assert (ROOT / path).exists(), f"{page.name}: {path}"
        if function:
            assert re.search(rf"\b(?:def|fn) {function}\b", (ROOT / path).read_text(encoding="utf-8")), function


def test_commands_are_found_where_they_stand(tmp_path):
    """Planted: a block's line with a remark, a prompt, a span; and an error message that is no command."""
    page = tmp_path / "page.md"
    page.write_text(
        "    homespun estimate gpt2-xl        # what it costs\n"
        "    $ homespun train mine.yaml --optim.lr 3\n    homespun: error: homespun\nuse `homespun doctor`.\n",
        encoding="utf-8",
    )
    assert commands(page) == {("estimate", "gpt2-xl"), ("train", "mine.yaml", "--optim.lr", "3"), ("doctor",)}


def test_every_dependency_has_its_reason():
    """Oracle: pyproject.toml, and of the crates' Cargo.toml what their code uses, against dependencies.md."""
    told = (ROOT / "docs" / "design" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[^\w-]", line)[0] for group in groups for line in group} - {"homespun"}
    for crate in ("bpe", "kernels", "native"):
        folder = ROOT / "crates" / crate
        manifest = tomllib.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
        code = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.rs"))
        declared = {*manifest.get("dependencies", {}), *manifest.get("dev-dependencies", {})}
        used = {name for name in declared if f"{name.replace('-', '_')}::" in code}
        names |= {name for name in used if not name.startswith("homespun-")}
    assert {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", told)} == set()


def test_the_ranks_told_are_those_enforced():
    """Oracle: RANKS of tests/architecture/test_imports.py, for the rooms that there are."""
    enforced = (ROOT / "tests" / "architecture" / "test_imports.py").read_text(encoding="utf-8")
    ranks = ast.literal_eval(re.search(r"^RANKS = (\(.*?^\))", enforced, flags=re.MULTILINE | re.DOTALL)[1])
    there = {"_native", *(path.stem for path in (ROOT / "src" / "homespun").iterdir())}
    page = (ROOT / "docs" / "design" / "house.md").read_text(encoding="utf-8")
    told = {int(rank): set(rooms.split()) for rank, rooms in re.findall(r"^    (\d+)  (.+)$", page, flags=re.MULTILINE)}
    assert told == {rank: there & {*rooms} for rank, rooms in enumerate(ranks) if there & {*rooms}}


@pytest.mark.parametrize(
    ("file", "source", "constant"),
    [
        ("manifest of a data set, record of a finished shard", "src/homespun/data/manifest.py", r"VERSION = (\d+)"),
        ("counts file", "crates/bpe/src/count/file.rs", r"pub\(super\) const VERSION: u32 = (\d+);"),
        ("`ranges.json` of a count in progress", "src/homespun/tokenizer/counting/job.py", r"RECORD_VERSION = (\d+)"),
        ("checkpoint", "src/homespun/checkpoint/checkpoint.py", r'_VERSION = "(\d+)"'),
    ],
)
def test_the_versions_of_formats_are_those_of_the_code(file, source, constant):
    """Oracle: the constant in the code."""
    page = (ROOT / "docs" / "design" / "formats.md").read_text(encoding="utf-8")
    (stated,) = re.findall(rf"^\| {re.escape(file)} \| (\d+) \|", page, flags=re.MULTILINE)
    code = (ROOT / source).read_text(encoding="utf-8")
    assert [stated] == re.findall(rf"^{constant}$", code, flags=re.MULTILINE)
