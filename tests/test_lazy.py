"""Packages that import their modules on first use. Oracles: the stubs, and a fresh interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

import homespun

ROOT = Path(homespun.__file__).parent
PACKAGES = ["homespun", *(f"homespun.{stub.parent.name}" for stub in sorted(ROOT.glob("*/__init__.pyi")))]


def python(program):
    return subprocess.run(
        [sys.executable, "-c", program], timeout=25, check=True, capture_output=True, text=True
    ).stdout


def test_every_name_of_a_stub_is_there_and_listed():
    """As completion at a prompt sees it. In an interpreter without the checking of shapes, which takes its time."""
    program = f"""
from importlib import import_module
from pathlib import Path
from homespun import lazy
for package in {PACKAGES}:
    module = import_module(package)
    names = lazy._read_stub(Path(module.__file__).with_suffix(".pyi"))
    assert {{*names}} <= {{*dir(module)}}, package
    assert module.__all__ == sorted(names), package
    for name in names:
        getattr(module, name)
print("all there")
"""
    assert python(program) == "all there\n"


def test_the_best_known_names_are_at_the_top():
    """And listing them imports nothing heavy."""
    printed = python(
        "import homespun, sys; print(*dir(homespun)); print('numpy' in sys.modules, homespun.Tokenizer.__name__)"
    )
    listed, rest = printed.splitlines()
    assert {"Tokenizer", "TransformerLM", "load_run", "load_recipe", "tokenizer", "__version__"} <= {*listed.split()}
    assert rest == "False Tokenizer"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = homespun.no_such_name


def test_a_name_that_needs_a_missing_package_says_so():
    printed = python(
        """
import sys
sys.modules["torch"] = None
try:
    from homespun.model import TransformerLM
except ImportError as error:
    print(type(error).__name__, error)
"""
    )
    assert printed.startswith("MissingPackageError homespun.model.TransformerLM needs torch: pip install torch")
