"""Storybook files: their layout, the exact bits beside them, and the command that writes them."""

import json
from math import fsum

import pytest

from homespun.cli.main import main
from homespun.corpus import read_documents
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, StorageError
from homespun.records import read_json_record
from homespun.storybook import generate_stories, write_storybook
from refusals import refuses


def test_a_file_is_its_stories_each_followed_by_the_separator(tmp_path):
    path = tmp_path / "new" / "stories.txt"
    news = []
    entropy = write_storybook(path, num_stories=20, seed=3, on_progress=lambda done, total: news.append((done, total)))
    stories = list(generate_stories(20, seed=3))
    assert path.read_bytes() == b"".join(story.text.encode() + b"<|endoftext|>" for story in stories)
    assert list(read_documents(path)) == [story.text for story in stories]
    assert entropy == CorpusEntropy(
        bits=fsum(story.bits for story in stories), num_bytes=path.stat().st_size, num_documents=20
    )
    assert read_json_record(tmp_path / "new" / "stories.txt.entropy.json", CorpusEntropy) == entropy
    assert news == [(20, 20)]


def test_a_longer_file_begins_with_the_shorter(tmp_path):
    write_storybook(tmp_path / "short.txt", num_stories=2, seed=3)
    write_storybook(tmp_path / "long.txt", num_stories=4, seed=3)
    assert (tmp_path / "long.txt").read_bytes().startswith((tmp_path / "short.txt").read_bytes())


def test_an_interruption_leaves_the_old_file_and_its_bits(tmp_path):
    path = tmp_path / "stories.txt"
    write_storybook(path, num_stories=2, seed=3)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_storybook(path, num_stories=3, seed=4, on_progress=interrupt)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_no_stories_and_no_place_are_refused(tmp_path):
    with refuses(ConfigError, "num_stories", 0):
        write_storybook(tmp_path / "stories.txt", num_stories=0, seed=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_storybook(tmp_path / "file" / "stories.txt", num_stories=1, seed=0)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_the_command_writes_and_says_how_many_bits(tmp_path, capsys):
    path = tmp_path / "stories.txt"
    assert main(["corpus", "storybook", "--stories", "5", "--seed", "9", "--out", str(path)]) == 0
    said = capsys.readouterr().out
    bits = json.loads((tmp_path / "stories.txt.entropy.json").read_text())["bits"]
    assert "5 stories" in said
    assert f"{bits:,.0f} bits" in said


@pytest.mark.parametrize("stories", ["0", "-3", "many"])
def test_the_command_refuses_bad_numbers_in_one_line(tmp_path, capsys, stories):
    path = tmp_path / "stories.txt"
    assert main(["corpus", "storybook", f"--stories={stories}", "--out", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--stories" in said
    assert not path.exists()
