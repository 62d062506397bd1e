"""`homespun corpus storybook`."""

from pathlib import Path

import pytest

from homespun.cli.main import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(stories: int, *more: str) -> int:
    return main(["corpus", "storybook", "--stories", str(stories), "--out", "book.txt", *more])


def files_in(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def test_the_same_stories_are_kept(folder, capsys):
    assert write(20) == 0
    printed, before = capsys.readouterr().out, files_in(folder)
    assert write(20) == 0
    assert capsys.readouterr().out == printed
    assert files_in(folder) == before


@pytest.mark.parametrize("more", [("--seed", "1"), ()])
def test_another_text_is_replaced_only_with_force(folder, capsys, more):
    """Another seed, or more stories than the file has."""
    assert write(20) == 0
    before = files_in(folder)
    capsys.readouterr()
    assert write(21, *more) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "book.txt" in error
    assert "--force" in error
    assert files_in(folder) == before
    assert write(21, *more, "--force") == 0
    assert "21 stories" in capsys.readouterr().out


def test_a_text_of_somebody_else_is_not_replaced(folder, capsys):
    (folder / "book.txt").write_text("mine")
    assert write(3) == 2
    assert (folder / "book.txt").read_text() == "mine"
    (folder / "book.txt").unlink()
    (folder / "book.txt").mkdir()
    assert write(3, "--force") == 2
    assert "directory" in capsys.readouterr().err
