"""Generate stories, write them to a file together with their exact entropy, and parse them."""

from collections.abc import Iterator
from math import fsum
from pathlib import Path

from homespun.config import check_at_least
from homespun.entropy import CorpusEntropy
from homespun.files import make_directory, write_atomically
from homespun.progress import ProgressCallback, ignore_progress
from homespun.records import write_json_record
from homespun.storybook.grammar import Storybook
from homespun.storybook.walk import Story

SEPARATOR = "<|endoftext|>"
_STORIES_PER_UPDATE = 512


def generate_stories(num_stories: int, seed: int) -> Iterator[Story]:
    """Yield the first `num_stories` stories of the endless corpus `seed`.

    Use different seeds for training and validation. Story i does not depend on `num_stories`.

    Raises:
        ConfigError: `num_stories` is negative.
    """
    check_at_least("num_stories", num_stories, 0)
    storybook = Storybook()
    return (storybook.draw(index, seed=seed) for index in range(num_stories))


def parse(text: str) -> Story:
    """Return the story whose text is `text`, with its choices. To parse many, make one `Storybook` and use its `parse`.

    Raises:
        DataError: no story has this text; the message gives the offset of the first mismatch.
    """
    return Storybook().parse(text)


def entropy_path(path: Path) -> Path:
    """Return the path of the file that holds the exact bits of `path`: `<file>.entropy.json`."""
    return path.with_name(f"{path.name}.entropy.json")


def write_storybook(
    path: Path, *, num_stories: int, seed: int, on_progress: ProgressCallback = ignore_progress
) -> CorpusEntropy:
    """Write stories to `path`, each followed by the separator, and their exact bits to `entropy_path(path)`.

    Separators count as bytes but carry no bits, because a story's text determines where it ends.

    Args:
        path: The text file.
        num_stories: At least 1.
        seed: Seed of the corpus, as for `generate_stories`.
        on_progress: Called with (stories written, total).

    Raises:
        ConfigError: `num_stories` is less than 1.
        StorageError: the disk is full or not writable; neither file is left half-written.
    """
    check_at_least("num_stories", num_stories, 1)
    make_directory(path.parent)
    bits: list[float] = []
    num_bytes = 0
    with write_atomically(path) as file:
        for story in generate_stories(num_stories, seed):
            num_bytes += file.write(f"{story.text}{SEPARATOR}".encode("ascii"))
            bits.append(story.bits)
            if len(bits) % _STORIES_PER_UPDATE == 0 or len(bits) == num_stories:
                on_progress(len(bits), num_stories)
        # The text takes its name last, and no older one has it meanwhile: whenever this is interrupted, there is no
        # text without its bits, and none with another text's.
        path.unlink(missing_ok=True)
        entropy = CorpusEntropy(bits=fsum(bits), num_bytes=num_bytes, num_documents=num_stories)
        write_json_record(entropy_path(path), entropy)
    return entropy
