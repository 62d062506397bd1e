"""The tokenizer and the token data sets of a run, checked to belong together."""

from dataclasses import dataclass
from pathlib import Path

from homespun.data.dataset import TokenDataset
from homespun.data.manifest import MANIFEST_NAME
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, MissingFileError
from homespun.files import sha256_of_file
from homespun.recipe.config import RunConfig
from homespun.recipe.prepare import check_tokenizer
from homespun.tokenizer.tokenizer import Tokenizer

_REMEDY = "make what this recipe needs with `homespun prepare RECIPE`, with the same flags"


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """Hashes of a run's data."""

    tokenizer: str
    train: str
    valid: str


@dataclass(frozen=True, kw_only=True)
class RunData:
    """The tokenizer and the data of a run."""

    tokenizer: Tokenizer
    train: TokenDataset
    valid: TokenDataset

    @property
    def entropy(self) -> CorpusEntropy | None:
        """Exact bits of the validation documents, where their source is known."""
        return self.valid.entropy

    def fingerprints(self) -> Fingerprints:
        """Return what identifies these data: a resumed run must find the same."""
        return Fingerprints(
            tokenizer=self.tokenizer.fingerprint,
            train=sha256_of_file(self.train.path / MANIFEST_NAME),
            valid=sha256_of_file(self.valid.path / MANIFEST_NAME),
        )


def open_data(config: RunConfig) -> RunData:
    """Open the tokenizer and the token data sets of `config.data`.

    Raises:
        MissingFileError: one of them does not exist.
        DataError: it is damaged, made with another tokenizer, or has ids outside the model's vocabulary.
        ConfigError: the context is longer than the training data.
    """
    directory = Path(config.data.tokenizer)
    try:
        tokenizer = Tokenizer.load(directory)
    except FileNotFoundError as error:
        raise MissingFileError(f"data.tokenizer = {directory}: there is no tokenizer; {_REMEDY}") from error
    check_tokenizer(tokenizer, config)
    train = open_dataset("data.train", config.data.train, tokenizer, config.model.vocab_size)
    valid = open_dataset("data.valid", config.data.valid, tokenizer, config.model.vocab_size)
    if len(train) <= config.model.context_length:
        raise ConfigError(
            f"model.context_length = {config.model.context_length:,} needs at least one token more, but data.train = "
            f"{config.data.train} has {len(train):,}; shorten the context or use more text"
        )
    for dataset in (train, valid):
        dataset.verify_once()
    return RunData(tokenizer=tokenizer, train=train, valid=valid)


def open_dataset(field: str, directory: str, tokenizer: Tokenizer, vocab_size: int) -> TokenDataset:
    """Open one token data set and check that `tokenizer` made it and that a model of `vocab_size` knows its ids.

    Raises:
        MissingFileError: it is not there.
        DataError: it is damaged, or does not belong to tokenizer or model.
    """
    try:
        dataset = TokenDataset.open(directory)
    except FileNotFoundError as error:
        raise MissingFileError(f"{field} = {directory}: there is no finished token data set; {_REMEDY}") from error
    dataset.check_tokenizer(tokenizer.fingerprint)
    dataset.check_vocab_size(vocab_size)
    return dataset
