"""The verbs of the Makefile: what `make help` lists, and which tests `make fast` takes for a change."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("test_changes", ROOT / "tools" / "test_changes.py")
assert _SPEC is not None
assert _SPEC.loader is not None
test_changes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(test_changes)


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("src/homespun/model/rope.py", "tests/model/test_rope.py"),
        ("src/homespun/model/init.py", "tests/model"),
        ("src/homespun/tokenizer/storage/gpt2.py", "tests/tokenizer"),
        ("src/homespun/locks.py", "tests/test_locks.py"),
        ("tests/model/test_rope.py", "tests/model/test_rope.py"),
        ("tests/model/conftest.py", None),
        ("crates/bpe/src/lib.rs", "tests/native"),
        ("docs/index.md", None),
    ],
)
def test_a_change_is_tested_by_the_nearest_tests(changed, tests):
    """Oracle: by hand, from the rule that tests mirror the package."""
    assert test_changes.tests_of(changed) == (None if tests is None else Path(tests))


def test_help_lists_every_verb():
    """Oracle: the .PHONY line of the Makefile, of which only `extension` is internal."""
    verbs = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert verbs is not None
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    missing = [verb for verb in verbs[1].split() if f"make {verb} " not in listed]
    assert missing == ["extension"]
