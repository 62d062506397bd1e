"""GPT-2's two files: vocab.json, token to id, and merges.txt, a pair a line; both in the printable alphabet."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from homespun.errors import TokenizerError
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.storage.printable import from_printable, to_printable
from homespun.tokenizer.storage.reading import errors_about, read_json_object, read_utf8

_HEADER = "#version: 0.2"


def read_gpt2_files(vocab_path: Path, merges_path: Path, special_tokens: Sequence[str], pattern: str) -> Definition:
    """The tokenizer of vocab.json and merges.txt.

    Raises:
        MissingFileError: one of them does not exist.
        TokenizerError: one is malformed, or they do not belong together; the message names the key or the line.
        ConfigError: a special token is empty or given twice.
    """
    words = read_json_object(vocab_path, "a JSON object of tokens and ids")
    merges = _read_merges(merges_path)
    with errors_about(vocab_path):
        return define(parse_vocab(words, special_tokens), merges, special_tokens, pattern)


def read_gpt2_directory(vocab_path: Path, merges_path: Path) -> Definition:
    """The tokenizer of vocab.json and merges.txt where nothing says what is special.

    Special are the words that no merge makes: no text could have them otherwise. The pattern is GPT-2's.

    Raises:
        MissingFileError: one of the files does not exist.
        TokenizerError: one is malformed, or they do not belong together.
    """
    made = {to_printable(left + right) for left, right in _read_merges(merges_path)}
    words = read_json_object(vocab_path, "a JSON object of tokens and ids")
    special_tokens = [word for word in words if len(word) > 1 and word not in made]
    return read_gpt2_files(vocab_path, merges_path, special_tokens, "gpt2")


def _read_merges(path: Path) -> list[tuple[bytes, bytes]]:
    lines = read_utf8(path, "a list of merges").splitlines()
    first = 1 if lines and lines[0].startswith("#version") else 0
    numbered = [(number, line) for number, line in enumerate(lines[first:], start=first + 1) if line]
    return parse_merges([line for _, line in numbered], lambda index: f"{path}:{numbered[index][0]}")


def parse_vocab(words: dict[str, Any], special_tokens: Collection[str]) -> dict[int, bytes]:
    """Bytes by id, from words and ids. Special tokens stand as they are, all else in the printable alphabet.

    Raises:
        TokenizerError: an id is no whole number or stands twice, or a word is neither.
    """
    special_words = {word for word in special_tokens if len(word) > 1}
    vocab: dict[int, bytes] = {}
    for word, id_ in words.items():
        if not isinstance(id_, int) or isinstance(id_, bool):
            raise TokenizerError(f"the id of {word!r} is {id_!r}; expected a whole number")
        if id_ in vocab:
            raise TokenizerError(f"id {id_} stands twice, the second time at {word!r}; give each token its own")
        token = None if word in special_words else from_printable(word)
        vocab[id_] = word.encode("utf-8", errors="surrogatepass") if token is None else token
    return vocab


def parse_merges(pairs: Iterable[object], place_of: Callable[[int], str]) -> list[tuple[bytes, bytes]]:
    """Pairs of tokens, each from two words in the printable alphabet: a list of them, or a line.

    Args:
        pairs: What the file holds.
        place_of: Where in the file the pair of an index stands, for messages.

    Raises:
        TokenizerError: a pair is not two words, or not printable.
    """
    merges: list[tuple[bytes, bytes]] = []
    for index, pair in enumerate(pairs):
        match pair.split(" ") if isinstance(pair, str) else pair:
            case [str(left), str(right)] if (left_ := from_printable(left)) and (right_ := from_printable(right)):
                merges.append((left_, right_))
            case _:
                raise TokenizerError(
                    f"{place_of(index)}: expected two tokens in GPT-2's printable bytes with a space between, "
                    f"got {pair!r:.100}; restore the file or train the tokenizer again"
                )
    return merges


def format_vocab(definition: Definition) -> dict[str, int]:
    """Ids by word: special tokens as they are, all else in the printable alphabet; the inverse of `parse_vocab`.

    Raises:
        TokenizerError: a special token is spelled like another token's word.
    """
    special_ids = set(definition.special_tokens.values())
    words = {to_printable(token): id_ for id_, token in definition.vocab.items() if id_ not in special_ids}
    id_of_token = definition.ids_of_tokens()
    merged_tokens = {token for left, right in definition.merges for token in (left, right, left + right)}
    for name, id_ in definition.special_tokens.items():
        token = name.encode()
        is_ordinary_too = id_of_token[token] == id_ and (len(token) == 1 or token in merged_tokens)
        if name in words or (is_ordinary_too and name != to_printable(token)):
            raise TokenizerError(
                f"the special token {name!r} cannot be told from an ordinary token in a vocabulary file; "
                "choose another, such as <|endoftext|>"
            )
        words[name] = id_
    return dict(sorted(words.items(), key=lambda item: item[1]))


def format_merges(definition: Definition) -> list[str]:
    """The merges, each as two words with a space between."""
    return [f"{to_printable(left)} {to_printable(right)}" for left, right in definition.merges]


def vocab_file_text(definition: Definition) -> str:
    """The text of vocab.json.

    Raises:
        TokenizerError: as `format_vocab`.
    """
    return json.dumps(format_vocab(definition), ensure_ascii=False, indent=0) + "\n"


def merges_file_text(definition: Definition) -> str:
    """The text of merges.txt."""
    return "\n".join([_HEADER, *format_merges(definition)]) + "\n"
