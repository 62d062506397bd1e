"""The commands of a page, run in a shell as a reader would paste them, on models and texts that take a moment."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

_SMALL = {
    "model.context_length": 32,
    "model.d_model": 16,
    "model.num_layers": 1,
    "model.num_heads": 2,
    "model.d_ff": 32,
    "training.batch_size": 2,
    "execution.micro_batch": 2,
    "logging.validation_tokens": 256,
    "logging.sampling.max_new_tokens": 4,
}
"""What every recipe becomes; flags of the page come later, and win."""
_SHORT = {
    "tokenizer.vocab_size": 300,
    "model.vocab_size": 300,
    "training.num_steps": 16,
    "optim.schedule.warmup_steps": 1,
    "logging.validation_every": 2,
    "logging.checkpoint_every": 2,
}
"""What besides the checkout's recipes become; a page's own recipe has the tokenizer and the steps of the page."""
_STORIES = {"source.num_train_stories": 60, "source.num_valid_stories": 4}
_OF_RECIPES = ("prepare", "train", "check-resume", "find-lr")


@dataclass(frozen=True)
class Command:
    """A line of a page that a reader may paste."""

    line: int
    text: str
    error: str | None = None
    """What it is shown to fail with."""
    is_interrupted: bool = False
    """Whether the page has the reader press Ctrl-C before the next command."""


def read_commands(page: str) -> list[Command]:
    """Return the commands of a page: lines of indented blocks that start with `$ `, a variable, `source` or `homespun`.

    Remarks after three spaces are no part of them. A line with a placeholder, such as DIR, is a form and no command.
    """
    found: list[Command] = []
    lines = page.split("\n")
    for number, line in enumerate(lines, start=1):
        match = re.match(r"^ {4}(?:\$ )?((?:homespun |source |[A-Z]+=).*?)(?: {3,}.*)?$", line)
        if match is None or match[1].startswith("homespun: "):
            continue
        if re.search(r"(?<![$\w'\"])[A-Z]{2,}(?![\w=])", match[1]):
            continue
        shown = lines[number].strip() if number < len(lines) else ""
        found.append(Command(number, match[1], shown if shown.startswith("homespun: error: ") else None))
    ends = [each.line for each in found[1:]] + [len(lines)]
    return [
        replace(each, is_interrupted="press Ctrl-C" in "\n".join(lines[each.line : end]))
        for each, end in zip(found, ends, strict=False)
    ]


def interrupt_after_a_checkpoint() -> None:
    """Press Ctrl-C once there is a checkpoint in `runs`."""

    def press() -> None:
        while not list(Path("runs").glob("*/checkpoints/*.safetensors")):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


def shrink(words: list[str], hub: str | None) -> list[str]:
    """Return a command that does the same with less, and downloads from `hub`."""
    if words[0] in _OF_RECIPES and len(words) > 1:
        small = _SMALL | (_SHORT if "/" in words[1] else {}) | (_STORIES if "demo" in words[1] else {})
        return [*words[:2], *(f"--{key}={value}" for key, value in small.items()), *words[2:]]
    if words[0] == "sweep" or words[:2] == ["experiment", "sampling"]:
        return words if "smoke" in words else [*words, "--scale", "smoke"]
    return [*words, "--base-url", str(hub)] if words[:2] == ["corpus", "get"] else words


def write_command(folder: Path, hub: str | None = None) -> None:
    """Write `.venv/bin/activate`, which puts a `homespun` on the path that shrinks what it is told."""
    scripts = folder / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "activate").write_text(f'PATH="{scripts}:$PATH"\n', encoding="utf-8")
    program = scripts / "homespun"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from shells import interrupt_after_a_checkpoint, shrink\nfrom homespun.cli.main import main\n"
        "if __name__ == '__main__':\n    if 'PRESS_CTRL_C' in os.environ:\n        interrupt_after_a_checkpoint()\n"
        f"    sys.exit(main(shrink(sys.argv[1:], {hub!r})))\n",
        encoding="utf-8",
    )
    program.chmod(0o755)


def paste(commands: list[Command], folder: Path, environment: Mapping[str, str], shell: str = "bash") -> None:
    """Paste the commands into one shell.

    Raises:
        AssertionError: one failed, or one that is shown to fail did not, or with other words.
    """
    lines = ["source .venv/bin/activate"]
    for number, command in enumerate(commands):
        # One whole command a line, so that the shell reads it as it reads a pasted one. Variables stay where they are.
        is_plain = not command.text.startswith("homespun ")
        if command.is_interrupted:
            lines.append("export PRESS_CTRL_C=yes")
        lines.append(command.text if is_plain else f"{command.text} >{number}.out 2>{number}.err </dev/null")
        lines += [f"echo $? >{number}.rc", "unset PRESS_CTRL_C"]
    subprocess.run([shell], input="\n".join(lines), cwd=folder, env=dict(environment), text=True, check=True)
    for number, command in enumerate(commands):
        code = int((folder / f"{number}.rc").read_text())
        error = folder / f"{number}.err"
        told = error.read_text(encoding="utf-8").strip() if error.exists() else ""
        where = f"line {command.line}: {command.text}\n{told}"
        if command.error is None:
            assert code == (130 if command.is_interrupted else 0), where
        else:
            assert code == 2, where
            assert told.splitlines()[-1] == command.error, f"{where}\nbut the page says\n{command.error}"
