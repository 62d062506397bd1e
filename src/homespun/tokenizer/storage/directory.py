"""A tokenizer directory: tokenizer.json for us and Hugging Face, vocab.json and merges.txt for everybody else."""

from pathlib import Path

from homespun.errors import MissingFileError, StorageError, TokenizerError
from homespun.files import make_directory, write_text_atomically
from homespun.tokenizer.definition import Definition
from homespun.tokenizer.storage.gpt2 import format_vocab, merges_file_text, read_gpt2_directory, vocab_file_text
from homespun.tokenizer.storage.huggingface import format_tokenizer_json, read_tokenizer_json

TOKENIZER_FILE = "tokenizer.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"


def save_definition(definition: Definition, directory: Path) -> None:
    """Write the three files, each whole or not at all; tokenizer.json, which is read first, comes last.

    Raises:
        TokenizerError: a special token cannot be told from an ordinary one in the files; nothing is written.
        StorageError: the disk refused.
    """
    texts = {
        VOCAB_FILE: vocab_file_text(definition),
        MERGES_FILE: merges_file_text(definition),
        TOKENIZER_FILE: format_tokenizer_json(definition),
    }
    make_directory(directory)
    for name, text in texts.items():
        write_text_atomically(directory / name, text)


def check_can_be_saved(definition: Definition, directory: Path) -> None:
    """Refuse what `save_definition` would, without writing anything: for before a long training.

    Raises:
        TokenizerError: as `save_definition`.
        StorageError: a file has the directory's name.
    """
    format_vocab(definition)
    if directory.exists() and not directory.is_dir():
        raise StorageError(f"{directory} is a file; expected a directory, or a name that is free; choose another")


def load_definition(path: Path) -> Definition:
    """Read a tokenizer directory, or a tokenizer.json by name.

    Raises:
        MissingFileError: nothing has that name, or the directory holds no tokenizer.
        TokenizerError: a file is malformed, or of a kind that says too little.
    """
    if path.suffix == ".tiktoken":
        raise TokenizerError(
            f"{path}: a .tiktoken file says nothing of special tokens and pattern; "
            "load it with Tokenizer.from_tiktoken(path, special_tokens, pattern=...), then save it as a directory"
        )
    if path.is_file():
        return read_tokenizer_json(path)
    if (path / TOKENIZER_FILE).is_file():
        return read_tokenizer_json(path / TOKENIZER_FILE)
    if (path / VOCAB_FILE).is_file():
        return read_gpt2_directory(path / VOCAB_FILE, path / MERGES_FILE)
    raise MissingFileError(
        f"{path}: no tokenizer there; expected a directory with {TOKENIZER_FILE}, or with {VOCAB_FILE} and "
        f"{MERGES_FILE}; make one with `homespun tokenizer train`"
    )
