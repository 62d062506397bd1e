"""The field's English in code, messages and pages: a list of words that readers stumble over. Oracle: planted lines."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each pattern with what the field says instead.
WORDS = {
    r"anew": "again, rebuild, recreate",
    r"go(?:es|ing)? on\b(?! to)": "continue, resume",
    r"put aside": "spill",
    r"the whole way": "the full pipeline",
    r"way down": "decay",
    r"stretch(?:es)?": "file range",
    r"(?:is|are|be|was|were) told": "is given, is logged",
    r"spel(?:t|led|ling|lings|ls)\b": "bytes of a token, written",
    r"differentiable once": "does not support double backward",
    r"(?:hand|lies|lie|stands|stand|standing) beside": "next to",
}
STUMBLES = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", flags=re.IGNORECASE)
# The stories have their own language; the log is a record.
LEFT_OUT = ("src/homespun/storybook/plots", "src/homespun/storybook/lexicon", "docs/LOG.md")
PYTHON = ("src/*.py", "src/*.pyi", "benchmarks/*.py", "tools/*.py", "examples/*.py")
PLACES = (*PYTHON, "recipes/*.yaml", "Makefile", ":(glob)*.md", "docs/*.md", "crates/*.rs", "crates/*.md")


def stumbles(text: str) -> list[str]:
    """Lines of `text` with one of the words, numbered from 1."""
    return [f"{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if STUMBLES.search(line)]


def test_pages_and_code_are_in_the_fields_english():
    listed = subprocess.run(["git", "ls-files", "--", *PLACES], cwd=ROOT, capture_output=True, text=True, check=True)
    found = []
    for name in sorted(set(listed.stdout.split())):
        if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
            found += [f"{name}:{line}" for line in stumbles((ROOT / name).read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line", ["the data set is made anew", "The run goes on", "counts are put aside", "twice differentiable once"]
)
def test_planted_lines_are_caught(line):
    assert stumbles(line)


@pytest.mark.parametrize("line", ["it goes on to the next file", "renewal", "a stretched exponential"])
def test_other_lines_pass(line):
    assert not stumbles(line)
