"""One file, one noun: no source file outgrows 400 lines. Oracle: the cap in docs/design."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CAP_LINES = 400
GENERATED = {"unicode_tables.py", "unicode_tables.rs"}
FOLDERS = ("src", "crates", "tests", "benchmarks", "examples", "tools")


def oversized(root: Path) -> list[str]:
    """Source files under `root` above the cap, generated tables and build outputs apart."""
    found = []
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in {".py", ".pyi", ".rs"} or file.name in GENERATED or "target" in file.parts:
                continue
            lines = len(file.read_text(encoding="utf-8").splitlines())
            if lines > CAP_LINES:
                found.append(f"{file.relative_to(root)}: {lines} lines")
    return found


def test_no_file_outgrows_the_cap():
    assert not oversized(ROOT)


def test_a_planted_long_file_is_caught(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "long.py").write_text("x = 1\n" * (CAP_LINES + 1))
    assert oversized(tmp_path) == ["src/long.py: 401 lines"]
