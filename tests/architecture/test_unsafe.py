"""Unsafe Rust is where docs/design/unsafe.md says, under a SAFETY comment each. Oracle: planted breaches."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "design" / "unsafe.md"
ROW = re.compile(r"^\| `(?P<file>crates/\S+\.rs)` \|.*\| `(?P<test>[\w:/.]+)` \|$", re.MULTILINE)
UNSAFE = re.compile(r"\bunsafe\b\s*(\{|fn|impl|trait|extern)")


def code_of(line: str) -> str:
    """`line` without what a comment says."""
    return line.partition("//")[0]


def breaches(code: str) -> list[str]:
    """Unsafe lines of `code` without a SAFETY comment right above them, and unsafe functions."""
    lines = code.splitlines()
    found = []
    for number, line in enumerate(lines):
        if not (match := UNSAFE.search(code_of(line))):
            continue
        above = number - 1
        while lines[above].lstrip().startswith("//") and "// SAFETY: " not in lines[above]:
            above -= 1
        if match[1] != "{" or "// SAFETY: " not in lines[above]:
            found.append(f"{number + 1}: {line.strip()}")
    return found


def rust_files() -> list[Path]:
    return [file for file in sorted((ROOT / "crates").rglob("*.rs")) if "target" not in file.parts]


def test_the_table_lists_what_is_unsafe():
    """Oracle: the code, and the modules' own leave to be unsafe."""
    told = {match["file"] for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
    texts = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in rust_files()}
    assert told == {file for file, text in texts.items() if any(UNSAFE.search(code_of(x)) for x in text.splitlines())}
    assert told == {file for file, text in texts.items() if "allow(unsafe_code" in text}


@pytest.mark.parametrize("file", rust_files(), ids=lambda file: file.name)
def test_every_block_says_why_it_is_safe(file):
    assert not breaches(file.read_text(encoding="utf-8"))


def test_planted_breaches_are_caught():
    safe = "// SAFETY: why\n// and more.\nlet x = unsafe { y() };\n"
    assert not breaches(safe)
    assert breaches("// Why.\nlet x = unsafe { y() };\n") == ["2: let x = unsafe { y() };"]
    assert breaches(safe + "z();\nunsafe { y() };\n") == ["5: unsafe { y() };"]
    assert breaches("// SAFETY: why\nunsafe fn y() {}\n") == ["2: unsafe fn y() {}"]


def test_the_tests_told_exist_and_are_run():
    """Oracle: the modules, and the filters of tools/check_unsafe.sh."""
    script = (ROOT / "tools" / "check_unsafe.sh").read_text(encoding="utf-8")
    filters = re.search(r"^filters=\((.*)\)$", script, flags=re.MULTILINE)[1].split()
    for match in ROW.finditer(PAGE.read_text(encoding="utf-8")):
        *modules, name = match["test"].split("::")
        if modules[0].endswith(".py"):
            assert f"def {name}(" in (ROOT / modules[0]).read_text(encoding="utf-8"), match["test"]
            continue
        path = ROOT.joinpath(*Path(match["file"]).parts[:2], "src", *modules[:-1])
        file = next(file for file in (path / "tests.rs", path.with_suffix(".rs"), path / "mod.rs") if file.exists())
        assert f"fn {name}(" in file.read_text(encoding="utf-8"), match["test"]
        assert match["test"].startswith(tuple(filters)), match["test"]


@pytest.mark.parametrize("crate", ["bpe", "kernels"])
def test_processors_are_asked_for_all_that_is_used(crate):
    """Oracle: every list of instructions that a function is compiled for."""
    processor = (ROOT / "crates" / crate / "src/processor.rs").read_text(encoding="utf-8")
    asked = {"": set()}
    for name, body in re.findall(r"fn has(_\w+)\(\) -> bool \{(.*?)\n\}", processor, flags=re.DOTALL):
        asked[name] = {*re.findall(r'detected!\("(\w+)"\)', body)}.union(
            *(asked[other] for other in re.findall(r"\bhas(_\w+)\(\)", body))
        )
    code = "".join(
        file.read_text(encoding="utf-8") for file in rust_files() if file.is_relative_to(ROOT / "crates" / crate)
    )
    lists = re.findall(r'#\[target_feature\(enable = "(.*)"\)\]\s+fn (\w+)', code)
    assert 0 < len(lists) == code.count("#[target_feature(")
    for used, name in lists:
        # Named after the check that its callers make: run_avx2 after has_avx2.
        check = max((check for check in asked if name.endswith(check)), key=len)
        assert {*used.split(",")} <= asked[check], name
