"""A tokenizer directory: tokenizer.json for us and Hugging Face, vocab.json and merges.txt for everybody else.

All files are written under temporary names and then renamed; tokenizer.json, without which the other files
are not loaded, is renamed last. A process that is killed in between leaves a directory that `load_definition` reports
as incomplete and `save_definition` completes.
"""

import json
import os
import re
from contextlib import ExitStack, suppress
from pathlib import Path

from homespun.errors import MissingFileError, StorageError, TokenizerError
from homespun.files import make_directory, storage_errors, sync_directory, write_atomically
from homespun.tokenizer.definition import Definition
from homespun.tokenizer.storage.gpt2 import (
    format_vocab,
    merges_file_text,
    read_gpt2_directory,
    vocab_file_text,
)
from homespun.tokenizer.storage.huggingface import format_pattern, format_tokenizer_json, read_tokenizer_json

TOKENIZER_FILE = "tokenizer.json"
VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
CONFIG_FILE = "tokenizer_config.json"

END_OF_TEXT = "<|endoftext|>"


def save_definition(definition: Definition, directory: Path) -> None:
    """Write the files of a tokenizer, all or none.

    Raises:
        TokenizerError: a special token is the same as an ordinary one in the files, or the pattern cannot be
            written in them; nothing is written.
        StorageError: the disk refused; the directory is as before, or has no tokenizer.
    """
    texts = {
        TOKENIZER_FILE: format_tokenizer_json(definition),
        CONFIG_FILE: _format_config(definition),
        MERGES_FILE: merges_file_text(definition),
        VOCAB_FILE: vocab_file_text(definition),
    }
    make_directory(directory)
    for name in texts:
        # Temporary files of an earlier process that was killed.
        for leftover in directory.glob(f".{name}.*.tmp"):
            with suppress(OSError):
                leftover.unlink()
    # The files get their names in the reverse order when the block ends, after all of them are written.
    with ExitStack() as stack:
        for name, text in texts.items():
            file = stack.enter_context(write_atomically(directory / name))
            file.write(text.encode())
            # A full disk is noticed here, not when the file is closed and others have their names already.
            file.flush()
            os.fsync(file.fileno())
        with storage_errors(directory):
            # From here until the last rename the directory must not load as a tokenizer.
            (directory / TOKENIZER_FILE).unlink(missing_ok=True)
            sync_directory(directory)


def check_can_be_saved(definition: Definition, directory: Path) -> None:
    """Refuse what `save_definition` would refuse, without writing anything: called before a long training.

    Raises:
        TokenizerError: as `save_definition`.
        StorageError: a file has the directory's name.
    """
    format_vocab(definition)
    format_pattern(definition.pattern)
    if directory.exists() and not directory.is_dir():
        raise StorageError(f"{directory} is a file; expected a directory, or a name that is free; choose another")


def is_incomplete_save(directory: Path) -> bool:
    """Return whether a directory lacks tokenizer.json and has nothing but other files that `save_definition` writes."""
    names = "|".join(map(re.escape, (CONFIG_FILE, MERGES_FILE, VOCAB_FILE)))
    written = re.compile(rf"{names}|\.({names}|{re.escape(TOKENIZER_FILE)})\..*\.tmp")
    return directory.is_dir() and all(written.fullmatch(path.name) for path in directory.iterdir())


def load_definition(path: Path) -> Definition:
    """Read a tokenizer directory, or a tokenizer.json by name.

    Raises:
        MissingFileError: nothing has that name, or the directory has no tokenizer, or an incomplete one.
        TokenizerError: a file is malformed, or of a kind that does not define a whole tokenizer.
    """
    if path.suffix == ".tiktoken":
        raise TokenizerError(
            f"{path}: a .tiktoken file says nothing of special tokens and pattern; "
            "load it with Tokenizer.from_tiktoken(path, special_tokens, pattern=...), then save it as a directory"
        )
    if path.is_file():
        if path.name in (VOCAB_FILE, MERGES_FILE, CONFIG_FILE):
            raise TokenizerError(
                f"{path} is one file of a tokenizer; name its directory, {path.parent}, or load vocab.json and "
                "merges.txt with Tokenizer.from_files(vocab, merges, special_tokens)"
            )
        return read_tokenizer_json(path)
    if (path / TOKENIZER_FILE).is_file():
        return read_tokenizer_json(path / TOKENIZER_FILE)
    if (path / VOCAB_FILE).is_file():
        return read_gpt2_directory(path / VOCAB_FILE, path / MERGES_FILE)
    raise MissingFileError(
        f"{path}: no tokenizer there; expected a directory with {TOKENIZER_FILE}, or with {VOCAB_FILE} and "
        f"{MERGES_FILE}; make one with `homespun tokenizer train`"
    )


def _format_config(definition: Definition) -> str:
    """The text of tokenizer_config.json, from which transformers' AutoTokenizer takes the roles of special tokens."""
    values: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
    }
    if END_OF_TEXT in definition.special_tokens:
        values |= {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT}
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"
