"""Where a run's text comes from."""

from dataclasses import dataclass
from typing import Literal, get_args

from homespun.config import check_at_least, check_choice, check_path
from homespun.errors import ConfigError

Corpus = Literal["storybook", "tinystories", "openwebtext", "files"]


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """The text that `homespun prepare` starts from: generated, downloaded, or your own files."""

    corpus: str
    """storybook (generated), tinystories or openwebtext (downloaded), or files (your own); existing files are kept."""

    train: str
    """Path of the training text: .txt or .jsonl, also .gz or .zst, or .parquet; of your own files also a pattern
    (`data/*.parquet`) or a URL (`s3://...`)."""

    valid: str
    """Path, pattern or URL of the validation text, of the same kinds."""

    separator: str = "<|endoftext|>"
    """The text between documents of a .txt file; it becomes the special token of that name."""

    text_key: str = "text"
    """The key of the text in a line of a .jsonl file, or its column in a .parquet file."""

    num_train_stories: int = 40_000
    """Stories to generate for training; the storybook only."""

    num_valid_stories: int = 500
    """Stories to generate for validation; the storybook only."""

    seed: int = 0
    """Seed of the generated stories; the storybook only."""

    def __post_init__(self) -> None:
        check_choice("source.corpus", self.corpus, get_args(Corpus))
        check_path("source.train", self.train)
        check_path("source.valid", self.valid)
        for field in ("separator", "text_key"):
            if not getattr(self, field):
                raise ConfigError(f"source.{field} is empty; it must be given")
        if self.train == self.valid:
            raise ConfigError(
                f"source.train and source.valid are both {self.train}; validation needs text that training does not see"
            )
        check_at_least("source.num_train_stories", self.num_train_stories, 1)
        check_at_least("source.num_valid_stories", self.num_valid_stories, 1)
        check_at_least("source.seed", self.seed, 0)
