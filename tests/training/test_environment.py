"""When a run was trained, with which version and from which commit. Oracles: git itself; a run that resumes."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from homespun.errors import RunError
from homespun.records import RunDirectory
from homespun.training.environment import find_commit, record_session


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A working tree with one commit, and how to call git there, free of the user's own settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    tree = tmp_path / "tree"

    def call(*arguments):
        settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *settings, *arguments], cwd=tree, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    tree.mkdir()
    (tree / "file").write_text("one\n")
    call("init", "--quiet")
    call("add", "file")
    call("commit", "--quiet", "-m", "one")
    return call


def test_the_commit_and_whether_files_differ_from_it(git, tmp_path):
    tree = tmp_path / "tree"
    commit = git("rev-parse", "HEAD")
    (tree / "inner").mkdir()
    (tree / "untracked").touch()
    assert find_commit(tree / "inner") == (commit, False)
    (tree / "file").write_text("two\n")
    assert find_commit(tree) == (commit, True)
    git("add", "file")
    assert find_commit(tree) == (commit, True)


def test_without_a_commit_a_tree_or_git_there_is_none(git, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "empty")], check=True)
    assert find_commit(tmp_path / "empty") == (None, False)
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert find_commit(tmp_path / "plain") == (None, False)
    assert find_commit(tmp_path / "missing") == (None, False)
    monkeypatch.setenv("PATH", str(tmp_path / "plain"))
    assert find_commit(tmp_path / "tree") == (None, False)


def test_each_session_is_added(git, tmp_path, monkeypatch):
    """Oracle: the clock before and after, and git. The rest of the file stays."""
    directory = RunDirectory(tmp_path)
    directory.environment.write_text('{"python": "3.11"}')
    before = datetime.now(UTC) - timedelta(seconds=1)
    first = record_session(directory, 0, "one CPU")
    monkeypatch.chdir(tmp_path / "tree")
    second = record_session(directory, 7, "another")
    assert before <= datetime.fromisoformat(first.began) <= datetime.fromisoformat(second.began) <= datetime.now(UTC)
    assert (first.steps_done, second.steps_done) == (0, 7)
    assert (first.computed_on, second.computed_on) == ("one CPU", "another")
    assert first.version == second.version == version("homespun")
    assert (second.commit, second.uncommitted_changes) == (git("rev-parse", "HEAD"), False)
    assert directory.read_sessions() == [first, second]
    assert json.loads(directory.environment.read_text())["python"] == "3.11"


def test_runs_of_older_versions_have_no_sessions(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.read_sessions() == []
    directory.environment.write_text('{"python": "3.11"}')
    assert directory.read_sessions() == []


@pytest.mark.parametrize("content", ["[]", "{", '{"sessions": 3}', '{"sessions": [{"began": "today"}]}'])
def test_damaged_sessions_are_refused(tmp_path, content):
    directory = RunDirectory(tmp_path)
    directory.environment.write_text(content)
    with pytest.raises(RunError, match=r"environment\.json: its sessions"):
        directory.read_sessions()
