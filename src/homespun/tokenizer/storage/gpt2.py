"""GPT-2's two files: vocab.json, token to id, and merges.txt, one pair per line; both in the printable alphabet."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from homespun.errors import MissingFileError, TokenizerError
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.storage.printable import from_printable, to_printable
from homespun.tokenizer.storage.reading import errors_about, read_json_object, read_utf8

_WORDS = "a JSON object of tokens and ids"

# Readers of merges.txt skip the first line. Ours adds the number of merges, which shows a truncated file.
_HEADER = "#version: 0.2 - {} merges, by homespun with tokenizer.json"
_OWN_HEADER = re.compile(_HEADER.format(r"(\d+)"))


def read_gpt2_files(vocab_path: Path, merges_path: Path, special_tokens: Sequence[str], pattern: str) -> Definition:
    """Read the tokenizer of vocab.json and merges.txt.

    Raises:
        MissingFileError: one of them does not exist.
        TokenizerError: one is malformed, or they do not belong together; the message names the key or the line.
        ConfigError: a special token is empty or given twice.
    """
    words, merges = read_json_object(vocab_path, _WORDS), _read_merges(merges_path)
    # A word of several characters states its id; another token may have its bytes.
    stated = {name: words[name] for name in special_tokens if len(name) > 1 and name in words}
    with errors_about(vocab_path):
        special = stated if len(stated) == len(special_tokens) else special_tokens
        return define(parse_vocab(words, special_tokens), merges, special, pattern)


def read_gpt2_directory(vocab_path: Path, merges_path: Path) -> Definition:
    """Read vocab.json and merges.txt where nothing says what is special.

    The words that no merge makes are special tokens: no text could have them otherwise. The pattern is GPT-2's.

    Raises:
        MissingFileError: one of the files does not exist, or the tokenizer.json that we wrote with them.
        TokenizerError: one is malformed, or they do not belong together: merges.txt was cut off.
    """
    words = read_json_object(vocab_path, _WORDS)
    # Nobody else writes one key per line. The first line of merges.txt would not show what older versions wrote.
    if read_utf8(vocab_path, _WORDS) == _vocab_text(words):
        raise MissingFileError(
            f"{vocab_path.parent}: tokenizer.json is missing, with which {vocab_path.name} was written: the tokenizer "
            "was not saved wholly; make it again, or load the other files with Tokenizer.from_files and the pattern"
        )
    merges = _read_merges(merges_path)
    made = {to_printable(left + right) for left, right in merges}
    special_tokens = [word for word in words if len(word) > 1 and word not in made]
    if lost := _find_lost_merge(special_tokens, merges):
        raise TokenizerError(
            f"{merges_path}: no merge makes {lost!r} of {vocab_path.name}, as if the end of the file were missing; "
            "restore it, or name the special tokens with Tokenizer.from_files(vocab, merges, special_tokens)"
        )
    return read_gpt2_files(vocab_path, merges_path, special_tokens, "gpt2")


def _find_lost_merge(words: list[str], merges: list[tuple[bytes, bytes]]) -> str | None:
    """The first word that one more merge would make; a token in brackets, such as <s>, may be one by chance."""
    rank_of = {merge: rank for rank, merge in enumerate(merges)}
    for word in words:
        symbols = [bytes([byte]) for byte in from_printable(word) or b""]
        while len(symbols) > 2 and (ranks := [rank_of[pair] for pair in pairwise(symbols) if pair in rank_of]):
            left, right = merges[min(ranks)]
            index = list(pairwise(symbols)).index((left, right))
            symbols[index : index + 2] = [left + right]
        if len(symbols) == 2 and not re.fullmatch(r"<.*>|\[.*\]", word):
            return word
    return None


def _read_merges(path: Path) -> list[tuple[bytes, bytes]]:
    text = read_utf8(path, "a list of merges")
    lines = text.splitlines()
    first = 1 if lines and lines[0].startswith("#version") else 0
    numbered = [(number, line) for number, line in enumerate(lines[first:], start=first + 1) if line]
    if (header := _OWN_HEADER.match(text)) and len(numbered) != int(header[1]):
        raise TokenizerError(
            f"{path}: {len(numbered):,} merges, but its first line says {int(header[1]):,}; restore the file or train "
            "the tokenizer again"
        )
    return parse_merges([line for _, line in numbered], lambda index: f"{path}:{numbered[index][0]}")


def parse_vocab(words: dict[str, Any], special_tokens: Collection[str]) -> dict[int, bytes]:
    """Return bytes by id, from words and ids: special tokens as they are, all others in the printable alphabet.

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
    """Return pairs of tokens, each from two words in the printable alphabet: a list of them, or a line.

    Raises:
        TokenizerError: a pair is not two words, or not printable; the message has `place_of` its index.
    """
    merges: dict[tuple[bytes, bytes], None] = {}
    for index, pair in enumerate(pairs):
        match pair.split(" ") if isinstance(pair, str) else pair:
            case [str(left), str(right)] if (left_ := from_printable(left)) and (right_ := from_printable(right)):
                # Others read the list into a table of ranks, in which a pair that is listed twice keeps its last rank.
                merges.pop((left_, right_), None)
                merges[left_, right_] = None
            case _:
                raise TokenizerError(
                    f"{place_of(index)}: expected two tokens in GPT-2's printable bytes with a space between, "
                    f"got {pair!r:.100}; restore the file or train the tokenizer again"
                )
    return list(merges)


def format_vocab(definition: Definition) -> dict[str, int]:
    """Return ids by word; the inverse of `parse_vocab`.

    Raises:
        TokenizerError: a special token is another token's word.
    """
    special_ids = set(definition.found_tokens().values())
    words = {to_printable(token): id_ for id_, token in definition.vocab.items() if id_ not in special_ids}
    id_of_token = definition.ids_of_tokens()
    merged_tokens = {token for left, right in definition.merges for token in (left, right, left + right)}
    for name, id_ in definition.found_tokens().items():
        token = name.encode()
        is_ordinary_too = id_of_token[token] == id_ and (len(token) == 1 or token in merged_tokens)
        if name in words or (is_ordinary_too and name != to_printable(token)):
            raise TokenizerError(
                f"the special token {name!r} is the same as an ordinary token in a vocabulary file; "
                "choose another, such as <|endoftext|>"
            )
        words[name] = id_
    return dict(sorted(words.items(), key=lambda item: item[1]))


def format_merges(definition: Definition) -> list[str]:
    """Return the merges, each as two words with a space between."""
    return [f"{to_printable(left)} {to_printable(right)}" for left, right in definition.merges]


def vocab_file_text(definition: Definition) -> str:
    """Return the text of vocab.json.

    Raises:
        TokenizerError: as `format_vocab`.
    """
    return _vocab_text(format_vocab(definition))


def merges_file_text(definition: Definition) -> str:
    """Return the text of merges.txt."""
    return "\n".join([_HEADER.format(len(definition.merges)), *format_merges(definition)]) + "\n"


def _vocab_text(words: dict[str, Any]) -> str:
    return json.dumps(words, ensure_ascii=False, indent=0) + "\n"
