"""The tokenizer and the token data sets that a recipe names, checked to belong together."""

from dataclasses import dataclass
from pathlib import Path

from homespun.data.dataset import TokenDataset
from homespun.data.manifest import MANIFEST_NAME
from homespun.entropy import CorpusEntropy
from homespun.errors import ConfigError, MissingFileError
from homespun.files import sha256_of_file
from homespun.recipe.config import RunConfig
from homespun.tokenizer.patterns import resolve_pattern
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
        ConfigError: the tokenizer is not what the recipe says.
    """
    directory = Path(config.data.tokenizer)
    try:
        tokenizer = Tokenizer.load(directory)
    except FileNotFoundError as error:
        raise MissingFileError(f"data.tokenizer = {directory}: there is no tokenizer; {_REMEDY}") from error
    check_tokenizer(tokenizer, config)
    train = open_dataset("data.train", config.data.train, tokenizer, config.model.vocab_size)
    valid = open_dataset("data.valid", config.data.valid, tokenizer, config.model.vocab_size)
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


def check_tokenizer(tokenizer: Tokenizer, config: RunConfig) -> None:
    """Refuse a tokenizer that is not what the recipe says.

    Raises:
        ConfigError: its pattern, its special tokens or its size differ.
    """
    wanted = config.tokenizer
    found = {
        "pattern": (tokenizer.pattern, resolve_pattern(wanted.pattern)),
        "special_tokens": (sorted(tokenizer.special_tokens), sorted(wanted.special_tokens)),
    }
    differing = [
        f"tokenizer.{key} = {asked!r}, but it has {has!r}" for key, (has, asked) in found.items() if has != asked
    ]
    # It may have fewer ids: a small text has no more pairs to merge.
    if tokenizer.vocab_size > wanted.vocab_size:
        differing.append(f"tokenizer.vocab_size = {wanted.vocab_size}, it has ids up to {tokenizer.vocab_size - 1}")
    if differing:
        raise ConfigError(
            f"data.tokenizer = {config.data.tokenizer} is not the recipe's tokenizer: {'; '.join(differing)}; "
            "name another directory, delete this one to train it again, or say in the recipe what it has"
        )
