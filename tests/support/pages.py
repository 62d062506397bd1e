"""Pages that do what they say: the Python and the commands of a page, run in the order in which they stand.

A fenced block of Python is run; all of a page share one namespace. Of an indented block, a line "$ homespun ..." is a
command. The indented lines that follow either are what it prints; "..." stands for what the page leaves out.
"""

import doctest
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Step:
    """Something that a page does."""

    line: int
    """Where it stands."""
    text: str
    """Python, or a command from "homespun" on."""
    is_command: bool
    printed: str = ""
    """What it prints, as the page has it; "" where the page does not show it."""


def read_steps(page: str) -> list[Step]:
    """Return what a page does, in its order."""
    steps: list[Step] = []
    printing: Step | None = None  # whose output the next indented lines are
    lines = page.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("```"):
            end = lines.index("```", number + 1)
            printing = None
            if line == "```python":
                printing = Step(number + 2, "\n".join(lines[number + 1 : end]), is_command=False)
                steps.append(printing)
            number = end
        elif line.startswith("    $ "):
            printing = Step(number + 1, line.removeprefix("    $ "), is_command=True)
            steps.append(printing)
        elif line and not line.startswith("    "):
            printing = None
        elif printing is not None:
            printing.printed += f"{line.removeprefix('    ')}\n"
        number += 1
    for step in steps:
        step.printed = step.printed.strip("\n")
    return steps


def scale_down(words: list[str]) -> list[str]:
    """Return a command at smoke scale if it names a scale, without flags for texts that the reader has to supply.

    Such a flag has a placeholder for a value, as in `--english TRAIN VALID`; at smoke scale texts are generated.
    """
    if "--scale" not in words:
        return words
    at = words.index("--scale")
    scaled = [*words[: at + 1], "smoke", *words[at + 2 :]]
    flags = re.split(r" (?=--)", shlex.join(scaled))
    return shlex.split(" ".join(flag for flag in flags if not re.search(r" [A-Z]+\b", flag)))


def run_command(words: list[str], folder: Path, where: str) -> str:
    """Run `homespun WORDS` in a process of its own, as a reader does, and return what it prints."""
    done = subprocess.run([sys.executable, "-m", "homespun", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{where}: $ homespun {shlex.join(words)}\n{done.stderr}"
    return done.stdout


def run_page(path: Path, folder: Path) -> list[str]:
    """Run a page in `folder`, the working directory, in which `recipes` is the checkout's; return the commands run.

    Raises:
        AssertionError: something printed other than the page says, or a command failed.
    """
    (folder / "recipes").symlink_to(ROOT / "recipes")
    names: dict[str, object] = {"__name__": "page"}
    commands = []
    for step in read_steps(path.read_text(encoding="utf-8")):
        where = f"{path.name}:{step.line}"
        with redirect_stdout(StringIO()) as printed:
            if step.is_command:
                program, *words = shlex.split(step.text)
                assert program == "homespun", f"{where}: $ {program}"
                scaled = scale_down(words)
                assert scaled == words or not step.printed, f"{where}: shows what another scale would print"
                commands.append(" ".join(scaled))
                found = run_command(scaled, folder, where)
            else:
                # Empty lines in front, so that tracebacks have the page's line numbers.
                exec(compile("\n" * (step.line - 1) + step.text, str(path), "exec"), names)
                found = printed.getvalue()
        wanted, found = f"{step.printed}\n", f"{found.rstrip()}\n"
        if step.printed and not doctest.OutputChecker().check_output(wanted, found, doctest.ELLIPSIS):
            raise AssertionError(f"{where} prints\n{found}\nbut the page says\n{step.printed}")
    return commands
