"""Run the quick tests of what changed since the last commit: the tests of a changed package, and changed tests.

    python tools/test_changes.py

A change under crates/ runs the Rust unit tests and the tests of the extension. Without changes, the files of the last
commit count. Slow tests, peers, properties and golden files are left to `make test`.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUICK = "not (slow or peers or property or golden)"


def changed_files() -> list[str]:
    """Paths that differ from the last commit, untracked ones included; if there are none, those of the last commit."""
    status = _git("status", "--porcelain", "--untracked-files=all", "--no-renames")
    return [line[3:] for line in status] or _git("diff", "--name-only", "HEAD~1")


def tests_of(path: str) -> Path | None:
    """Return the test file or folder that belongs to `path`, or None.

    src/homespun/model/rope.py has tests/model/test_rope.py if that exists, else tests/model.
    """
    if path.startswith("tests/"):
        is_test = path.endswith(".py") and Path(path).name.startswith("test_") and (ROOT / path).exists()
        return Path(path) if is_test else None
    if path.startswith("crates/"):
        return Path("tests/native")
    if not path.startswith("src/homespun/"):
        return None
    source = Path(path).relative_to("src/homespun")
    test = Path("tests", source.parent, f"test_{source.stem}.py")
    candidates = [test, *list(test.parents)[:-2]]  # not tests itself
    return next((candidate for candidate in candidates if (ROOT / candidate).exists()), None)


def main() -> int:
    """Run the tests and return the exit code of the first run that fails."""
    changed = changed_files()
    for crate in ("bpe", "kernels"):
        if any(path.startswith(f"crates/{crate}/") for path in changed):
            command = ["cargo", "test", "--quiet", "--locked", "--profile", "fast", "-p", f"homespun-{crate}", "--lib"]
            if code := subprocess.run(command, cwd=ROOT).returncode:
                return code
    tests = sorted({test for path in changed if (test := tests_of(path)) is not None})
    tests = [test for test in tests if not {*test.parents} & {*tests}]
    if not tests:
        print("nothing that has quick tests has changed; `make test` runs them all")
        return 0
    print("testing", *tests, flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", QUICK, *map(str, tests)]
    code = subprocess.run(command, cwd=ROOT).returncode
    return 0 if code == 5 else code  # 5: every test there is of a kind that `make test` runs


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
