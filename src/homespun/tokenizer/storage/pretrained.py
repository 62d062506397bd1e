"""Well-known tokenizers by name, from files that are on this machine already; nothing is downloaded."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from homespun.errors import MissingFileError, TokenizerError
from homespun.tokenizer.definition import Definition
from homespun.tokenizer.storage.directory import END_OF_TEXT, load_definition
from homespun.tokenizer.storage.tiktoken import read_tiktoken_file

CACHE_VARIABLE = "HOMESPUN_TOKENIZERS"
"""Environment variable: a folder with a tokenizer directory or a `.tiktoken` file of each name."""

_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    """What a `.tiktoken` file does not say."""

    pattern: str
    num_ranks: int
    """Lines of the whole file: one truncated at a line end would load."""
    special_tokens: dict[str, int]
    aliases: tuple[str, ...] = field(default=())
    """The other names, without case and punctuation."""


# Source: tiktoken 0.12, tiktoken_ext/openai_public.py and tiktoken/model.py.
_ENCODINGS = {
    "r50k_base": _Encoding(
        pattern="gpt2", num_ranks=50_256, special_tokens={END_OF_TEXT: 50_256}, aliases=("gpt2", "r50k")
    ),
    "p50k_base": _Encoding(pattern="gpt2", num_ranks=50_280, special_tokens={END_OF_TEXT: 50_256}, aliases=("p50k",)),
    "cl100k_base": _Encoding(
        pattern="gpt4",
        num_ranks=100_256,
        special_tokens={
            END_OF_TEXT: 100_257,
            "<|fim_prefix|>": 100_258,
            "<|fim_middle|>": 100_259,
            "<|fim_suffix|>": 100_260,
            "<|endofprompt|>": 100_276,
        },
        aliases=("cl100k", "gpt4", "gpt35turbo"),
    ),
    "o200k_base": _Encoding(
        pattern="o200k",
        num_ranks=199_998,
        special_tokens={END_OF_TEXT: 199_999, "<|endofprompt|>": 200_018},
        aliases=("o200k", "gpt4o", "gpt5"),
    ),
}
_NAMES = {alias: name for name, encoding in _ENCODINGS.items() for alias in (name.replace("_", ""), *encoding.aliases)}


def load_pretrained(name: str | os.PathLike[str]) -> Definition:
    """Read the tokenizer at a path, or one with a well-known name such as "gpt2", "cl100k_base" or "org/model".

    A name is looked for in the folder that the environment variable HOMESPUN_TOKENIZERS names, then in the caches of
    tiktoken and of Hugging Face.

    Raises:
        MissingFileError: it is in none of these places; the message says which file to put where.
        TokenizerError: the files are damaged, or have a setting that homespun does not support.
    """
    path = Path(name)
    stem = path.stem if path.suffix == ".tiktoken" else str(name)
    encoding = _NAMES.get(re.sub(r"[\s._-]", "", stem).lower())
    if path.exists():
        return _read(path, encoding)
    places = list(_places(str(name), encoding))
    if found := next((place for place in places if place.exists()), None):
        return _read(found, encoding)
    what = f"{encoding}.tiktoken from {_URL.format(encoding)}" if encoding else "its tokenizer.json"
    raise MissingFileError(
        f"{name}: neither a path nor a tokenizer on this machine (looked for {', '.join(map(str, places))}); "
        f"get {what} and name its path, or set {CACHE_VARIABLE} to its folder"
    )


def _places(name: str, encoding: str | None) -> list[Path]:
    """Where the files of `name` may be, best first."""
    places = []
    if folder := os.environ.get(CACHE_VARIABLE):
        places = [
            Path(folder, name),
            *([Path(folder, encoding), Path(folder, f"{encoding}.tiktoken")] if encoding else []),
        ]
    if encoding:
        variables = (os.environ.get(key) for key in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
        cache = next(filter(None, variables), None) or Path(tempfile.gettempdir(), "data-gym-cache")
        # tiktoken's name for the file; SHA-1 is not used for security here.
        key = hashlib.sha1(_URL.format(encoding).encode(), usedforsecurity=False).hexdigest()
        places.append(Path(cache, key))
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or "~/.cache/huggingface", "hub"))
    repository = "openai-community/gpt2" if name == "gpt2" else name
    snapshots = hub.expanduser() / f"models--{repository.replace('/', '--')}" / "snapshots"
    return [*places, *(sorted(snapshots.glob("*/tokenizer.json")) or [snapshots])]


def _read(path: Path, encoding: str | None) -> Definition:
    if path.is_dir() or path.suffix == ".json" or encoding is None:
        return load_definition(path)
    known = _ENCODINGS[encoding]
    definition = read_tiktoken_file(path, known.special_tokens, known.pattern)
    num_ranks = len(definition.vocab) - len(known.special_tokens)
    if num_ranks != known.num_ranks:
        raise TokenizerError(
            f"{path}: {num_ranks:,} tokens, but {encoding} has {known.num_ranks:,}; get the file again from "
            f"{_URL.format(encoding)}"
        )
    return definition
