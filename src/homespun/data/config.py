"""Which token data sets a run uses."""

from dataclasses import dataclass

from homespun.config import check_path
from homespun.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Directories that `homespun prepare` fills and a run reads."""

    train: str
    """The token data set to train on."""

    valid: str
    """The token data set to validate on."""

    tokenizer: str
    """The tokenizer that both were made with."""

    def __post_init__(self) -> None:
        for field in ("train", "valid", "tokenizer"):
            check_path(f"data.{field}", getattr(self, field))
        if len({self.train, self.valid, self.tokenizer}) < 3:
            raise ConfigError(
                f"data.train = {self.train}, data.valid = {self.valid} and data.tokenizer = {self.tokenizer} "
                "must be three different directories"
            )
