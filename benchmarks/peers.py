"""The encoders that are compared, behind one interface; each is imported only when it is asked for.

`IMPORTERS[name]()` imports a library and returns what loads a tokenizer directory with it, so that importing, loading
and encoding can be timed apart.
"""

import os
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vocabularies import PATTERN_FILE, SEPARATOR, TIKTOKEN_FILE


@dataclass(frozen=True)
class Encoder:
    """What every library can do, in its own fastest way from Python."""

    encode: Callable[[str], Sized]
    """The ids of one text without special tokens, as a user asks for them."""
    encode_long: Callable[[str], Sized]
    """The same for a text so long that the ids had better not be a list, where the library has something better."""
    encode_file: Callable[[Path], int]
    """Encodes a file's documents, ids into memory; returns how many ids there are."""
    decode: Callable[[Any], str]
    """The text of what `encode` returned."""


Loader = Callable[[Path], Encoder]


def read_documents(text: Path) -> list[str]:
    """What stands between separators, for peers that take a list of strings."""
    return text.read_text(encoding="utf-8").split(SEPARATOR)


def num_threads() -> int:
    """What the harness allows a contender."""
    return int(os.environ["RAYON_NUM_THREADS"])


def import_homespun() -> Loader:
    from homespun.data import encode_to_memory
    from homespun.tokenizer import Tokenizer

    def load(directory: Path) -> Encoder:
        tokenizer = Tokenizer.load(directory)

        def encode_file(text: Path) -> int:
            return len(encode_to_memory(tokenizer, [text], num_threads=num_threads()))

        return Encoder(tokenizer.encode, tokenizer.encode_to_numpy, encode_file, tokenizer.decode)

    return load


def import_gigatoken() -> Loader:
    import gigatoken  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def load(directory: Path) -> Encoder:
        if directory.name == "gpt2":
            tokenizer = gigatoken.Tokenizer(directory / "tokenizer.json")
        else:  # it knows this pattern by a name, not by the regular expression in tokenizer.json
            tokenizer = gigatoken.Tokenizer.from_tiktoken(directory / TIKTOKEN_FILE, pretokenizer=directory.name)

        def encode_file(text: Path) -> int:
            source = gigatoken.TextFileSource([text], separator=SEPARATOR)
            return sum(map(len, tokenizer.encode_files(source)))

        return Encoder(tokenizer.encode, tokenizer.encode, encode_file, lambda ids: tokenizer.decode(ids).decode())

    return load


def import_tiktoken() -> Loader:
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    def load(directory: Path) -> Encoder:
        encoding = tiktoken.Encoding(
            name=directory.name,
            pat_str=(directory / PATTERN_FILE).read_text(encoding="utf-8"),
            mergeable_ranks=load_tiktoken_bpe(str(directory / TIKTOKEN_FILE)),
            special_tokens={},
        )

        def encode_file(text: Path) -> int:
            return sum(map(len, encoding.encode_ordinary_batch(read_documents(text), num_threads=num_threads())))

        return Encoder(encoding.encode_ordinary, encoding.encode_to_numpy, encode_file, encoding.decode)

    return load


def import_tokenizers() -> Loader:
    from tokenizers import Tokenizer

    def load(directory: Path) -> Encoder:
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

        def encode_file(text: Path) -> int:
            return sum(len(encoded.ids) for encoded in tokenizer.encode_batch_fast(read_documents(text)))

        def encode(text: str) -> list[int]:
            return tokenizer.encode(text).ids

        return Encoder(encode, encode, encode_file, tokenizer.decode)

    return load


def import_rs_bpe() -> Loader:
    from rs_bpe.bpe import openai  # pyright: ignore[reportMissingImports] - in the extra "bench"

    def load(directory: Path) -> Encoder:
        if directory.name != "cl100k":
            raise SystemExit(
                "rs-bpe brings its own vocabulary, cl100k_base, and knows no other: use --vocabulary cl100k"
            )
        tokenizer = openai.cl100k_base()

        def encode_file(text: Path) -> int:
            options = openai.ParallelOptions(1, 64, num_threads())
            return sum(map(len, tokenizer.encode_batch_parallel(read_documents(text), options)[0]))

        return Encoder(tokenizer.encode, tokenizer.encode, encode_file, tokenizer.decode)

    return load


IMPORTERS: dict[str, Callable[[], Loader]] = {
    "homespun": import_homespun,
    "gigatoken": import_gigatoken,
    "tiktoken": import_tiktoken,
    "tokenizers": import_tokenizers,
    "rs-bpe": import_rs_bpe,
}


def peers_knowing(vocabulary: str, names: Iterable[str]) -> list[str]:
    """Those of the contenders that can encode with a vocabulary."""
    return [name for name in names if name != "rs-bpe" or vocabulary == "cl100k"]
