"""Stories by the thousand: drawn, written to a file with its exact bits beside it, and read back."""

from collections.abc import Iterator
from math import fsum
from pathlib import Path

from homespun.config import check_at_least
from homespun.entropy import CorpusEntropy
from homespun.files import make_directory, write_atomically
from homespun.progress import ProgressCallback, ignore_progress
from homespun.records import write_json_record
from homespun.storybook.grammar import Storybook
from homespun.storybook.telling import Story

SEPARATOR = "<|endoftext|>"
_STORIES_PER_NEWS = 512


def generate_stories(num_stories: int, seed: int) -> Iterator[Story]:
    """The first `num_stories` stories of the endless corpus `seed`.

    Training and validation text take different seeds. Story i is the same however many follow it.

    Raises:
        ConfigError: `num_stories` is negative.
    """
    check_at_least("num_stories", num_stories, 0)
    storybook = Storybook()
    return (storybook.draw(index, seed=seed) for index in range(num_stories))


def parse(text: str) -> Story:
    """The choices that tell `text`; to parse many stories, compile one `Storybook` and use its `parse`.

    Raises:
        DataError: the storybook does not tell it; the message gives the offset where the text leaves the grammar.
    """
    return Storybook().parse(text)


def entropy_path(path: Path) -> Path:
    """Where the exact bits of the storybook file `path` are kept: `<file>.entropy.json`."""
    return path.with_name(f"{path.name}.entropy.json")


def write_storybook(
    path: Path, *, num_stories: int, seed: int, on_progress: ProgressCallback = ignore_progress
) -> CorpusEntropy:
    """Write stories to `path`, each followed directly by the separator, and their exact bits beside it.

    The separators count as bytes and cost no bits: where a story ends is certain from its text.

    Args:
        path: The file; the bits go to `entropy_path(path)`.
        num_stories: At least 1.
        seed: Of the corpus, see `generate_stories`.
        on_progress: Called with (stories written, stories in all).

    Raises:
        ConfigError: `num_stories` is less than 1.
        StorageError: the disk refuses; neither file is then half-written.
    """
    check_at_least("num_stories", num_stories, 1)
    make_directory(path.parent)
    bits: list[float] = []
    num_bytes = 0
    with write_atomically(path) as file:
        for story in generate_stories(num_stories, seed):
            num_bytes += file.write(f"{story.text}{SEPARATOR}".encode("ascii"))
            bits.append(story.bits)
            if len(bits) % _STORIES_PER_NEWS == 0 or len(bits) == num_stories:
                on_progress(len(bits), num_stories)
        # So that an interruption can leave a text without its bits, but never with another text's.
        entropy_path(path).unlink(missing_ok=True)
    entropy = CorpusEntropy(bits=fsum(bits), num_bytes=num_bytes, num_documents=num_stories)
    write_json_record(entropy_path(path), entropy)
    return entropy
