"""`homespun`: the table of commands, and the failures that it reports for all of them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from homespun.cli import main as main_module
from homespun.cli.main import COMMANDS, main, subcommands
from homespun.cli.parsing import CommandParser
from homespun.errors import EXTRAS, ConfigError

SOURCE = Path(main_module.__file__).parent
HOMESPUN = [sys.executable, "-m", "homespun"]


def test_every_command_has_its_file_and_every_file_its_command():
    """Oracle: the files that define `main(arguments)`."""
    files = {
        " ".join(path.relative_to(SOURCE).with_suffix("").parts).replace("_", "-")
        for path in SOURCE.rglob("*.py")
        if "def main(arguments: list[str]) -> int:" in path.read_text(encoding="utf-8")
    }
    assert files == {name for name in COMMANDS if not subcommands(name)}


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["corpus"], ["corpus", "--help"], ["tokenizer"]])
def test_usage_lists_every_command(arguments, capsys):
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    group = " ".join(word for word in arguments if not word.startswith("-"))
    assert shown.startswith(f"usage: {f'homespun {group}'.strip()} COMMAND")
    assert all(f"  {name}" in shown for name in subcommands(group))


@pytest.mark.parametrize("arguments", [["tran"], ["corpus", "fetch"], ["tokenizer", "corpus list"]])
def test_unknown_command_is_refused_with_the_known_ones(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert repr(arguments[-1]) in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (ConfigError("runs/\x1b[31m\n\udcff: no"), ["runs/\\x1b[31m \\udcff: no"]),
        (MemoryError(), ["out of memory"]),
        (PermissionError(13, "Permission denied", "a.txt"), ["a.txt", "Permission denied"]),
    ],
)
def test_errors_are_one_printable_line(error, facts, capsys, monkeypatch):
    def run_command(_arguments):
        raise error

    monkeypatch.setattr(main_module, "run_command", run_command)
    assert main(["train"]) == 2
    said = capsys.readouterr().err
    assert said.removesuffix("\n").isprintable()
    assert all(fact in said for fact in facts), said


def test_flags_with_underscores_and_keys_with_dashes_are_understood():
    parser = CommandParser("homespun test", "A test.")
    parser.add_argument("--top-k", type=int)
    assert parser.parse_args(["--top_k", "3"]).top_k == parser.parse_args(["--top_k=3"]).top_k == 3
    _, rest = parser.parse_known_args(["--training.num-steps=5", "--name", "a-b"])
    assert rest == ["--training.num_steps=5", "--name", "a-b"]
    with pytest.raises(ConfigError):
        parser.parse_args(["--top", "3"])


def run(arguments, **settings):
    return subprocess.run([*HOMESPUN, *arguments], timeout=25, check=False, stderr=subprocess.PIPE, **settings)


@pytest.mark.skipif(os.name == "nt", reason="pipes")
@pytest.mark.parametrize("arguments", [["--help"], ["corpus", "list"], ["estimate", "--help"]])
def test_a_reader_that_goes_away_is_no_error(arguments):
    """As in `homespun --help | head -1`: the pipe is closed before anything is written."""
    read, write = os.pipe()
    os.close(read)
    done = run(arguments, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["corpus", "list"], ["doctor", "--help"]])
def test_a_full_disk_under_standard_output_is_one_line(arguments):
    with Path("/dev/full").open("wb") as full:
        done = run(arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


def test_what_standard_output_cannot_encode_is_escaped(tmp_path):
    """Oracle: Python's own escapes. The longest token of this text is Japanese."""
    (tmp_path / "text.txt").write_text("\u732b\u304c\u597d\u304d " * 40, encoding="utf-8")
    arguments = ["tokenizer", "train", "text.txt", "--vocab-size", "270", "--out", "tok"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run(arguments, stdout=subprocess.PIPE, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"\\u732b" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="arguments are text there")
def test_an_argument_that_is_not_text_is_refused(tmp_path):
    arguments = [b"tokenizer", b"train", b"a.txt", b"--vocab-size", b"300", b"--out", b"t", b"--special-token", b"\xff"]
    done = run([os.fsdecode(argument) for argument in arguments], stdout=subprocess.PIPE, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"udcff" in done.stderr


WITHOUT_TORCH = """
import sys
sys.modules.update(dict.fromkeys(("torch", "einops", "jaxtyping", "safetensors")))
"""


@pytest.mark.parametrize("command", ["demo", "train recipe.yaml", "generate run", "evaluate run"])
def test_a_missing_package_is_one_line(command, tmp_path):
    """Installed without the extra `train`: torch cannot be imported."""
    recipe = SOURCE.parents[2] / "recipes" / "demo.yaml"
    words = [str(recipe) if word == "recipe.yaml" else word for word in command.split()]
    program = f"{WITHOUT_TORCH}\nfrom homespun.cli.main import main\nsys.exit(main({words}))"
    done = subprocess.run(
        [sys.executable, "-c", program], timeout=25, check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "pip install torch" in done.stderr
    assert not list(tmp_path.iterdir()), "refused before anything is written"


def test_extras_are_those_of_the_project():
    """Oracle: pyproject.toml."""
    project = tomllib.loads((SOURCE.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, packages in EXTRAS.items():
        assert [line.split(">")[0].split("[")[0] for line in project["optional-dependencies"][extra]] == [*packages]


def test_doctor_names_what_is_missing():
    program = f"{WITHOUT_TORCH}\nfrom homespun.cli.main import main\nsys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", program], timeout=25, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "not installed: pip install torch einops jaxtyping safetensors" in done.stdout
