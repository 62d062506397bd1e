"""The tokenizer that everything else uses: text to ids and back, by the Rust core."""

import codecs
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from homespun import _native
from homespun.config import check_choice
from homespun.errors import ArgumentTypeError, DataError, TokenizerError
from homespun.tokenizer.arguments import batch_error, text_error
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.patterns import name_of_pattern
from homespun.tokenizer.storage.directory import load_definition, save_definition
from homespun.tokenizer.storage.gpt2 import read_gpt2_files
from homespun.tokenizer.storage.pretrained import load_pretrained
from homespun.tokenizer.storage.tiktoken import read_tiktoken_file

SpecialPolicy = Literal["encode", "text", "reject"]
"""What a special token inside a text becomes: its id, ordinary text, or an error."""


OffsetUnit = Literal["characters", "bytes"]
"""What `encode_with_offsets` counts in."""


CACHE_BYTES = 64 * 2**20
"""Limit of the cache of encoded pre-tokens that each encoding thread keeps."""

_MIN_LONG = 2**16
"""Texts or ids shorter than this are processed on one thread."""


_SAMPLE = "It's 2024:  a caf\u00e9,\r\n\n\t\u4e2d\u6587 \U0001f469\u200d\U0001f4bb <|endoftext|> x_y[1]\0\u00a0 \n"
"""Words, numbers, line ends, white space, scripts, joiners and something like a special token."""


class Tokenizer:
    """Byte-level BPE for one vocabulary; immutable, picklable, safe after fork and across threads.

    Text is split at special tokens (the longest where several begin), then by `pattern` into pre-tokens; inside each
    the merges are applied in order of creation. Every text has ids, and `decode` gives it back.

        >>> tokenizer = Tokenizer({0: b"a", 1: b"b", 2: b"ab"}, [(b"a", b"b")], ["<|end|>"])
        >>> tokenizer.encode("abba<|end|>")
        [2, 1, 0, 3]
    """

    def __init__(
        self,
        vocab: Mapping[int, bytes],
        merges: Sequence[tuple[bytes, bytes]],
        special_tokens: Sequence[str] | None = None,
        *,
        pattern: str = "gpt2",
        added_tokens: Sequence[str] | None = None,
    ) -> None:
        """Build from vocabulary and merges, as `train_bpe` returns them.

        Args:
            vocab: Bytes of each id.
            merges: In order of creation.
            special_tokens: Those that `vocab` lacks get the ids after its last.
            pattern: "gpt2", "gpt4", "o200k" or a regular expression; text that it does not match is split off too.
            added_tokens: Ordinary tokens that no merge makes, found as special tokens are, whatever those become.

        Raises:
            TokenizerError: the arguments contradict each other.
            ConfigError: a special token is empty or given twice, or the pattern is no name and no regular expression.
        """
        self._set_definition(define(vocab, merges, special_tokens or [], pattern, added_tokens or []))

    @classmethod
    def from_definition(cls, definition: Definition) -> "Tokenizer":
        """Build from a checked definition; `TokenizerError` where a sample text does not come back from its ids."""
        tokenizer = cls.__new__(cls)
        tokenizer._set_definition(definition)
        tokenizer._check_round_trip()
        return tokenizer

    def _check_round_trip(self) -> None:
        """Encode and decode a sample of the characters whose bytes are tokens: no loader may lose text."""
        single = {token[0] for token in self._definition.vocab.values() if len(token) == 1}
        text = "".join(character for character in _SAMPLE if single.issuperset(character.encode()))
        for special in get_args(SpecialPolicy)[:2]:
            if self.decode(self.encode(text, special)) != text:
                raise TokenizerError("a sample text does not come back from its ids; vocabulary and merges do not fit")

    @classmethod
    def from_files(
        cls,
        vocab_filepath: str | os.PathLike[str],
        merges_filepath: str | os.PathLike[str],
        special_tokens: Sequence[str] | None = None,
        *,
        pattern: str = "gpt2",
    ) -> "Tokenizer":
        """Read vocab.json and merges.txt in GPT-2's printable bytes; raises as `load`."""
        vocab_path, merges_path = Path(vocab_filepath), Path(merges_filepath)
        return cls.from_definition(read_gpt2_files(vocab_path, merges_path, special_tokens or [], pattern))

    @classmethod
    def from_tiktoken(
        cls,
        path: str | os.PathLike[str],
        special_tokens: Mapping[str, int],
        *,
        pattern: str = "gpt4",
    ) -> "Tokenizer":
        """Read a `.tiktoken` file, which has neither special tokens nor pattern; raises as `load`."""
        return cls.from_definition(read_tiktoken_file(Path(path), special_tokens, pattern))

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Tokenizer":
        """Read a tokenizer directory: tokenizer.json, or else vocab.json with merges.txt.

        vocab.json and merges.txt say nothing of pattern and special tokens: the pattern is GPT-2's, and tokens that no
        merge makes are special. Those that homespun wrote are refused, since their pattern was in tokenizer.json.

        Raises:
            MissingFileError: there is no tokenizer at that place.
            TokenizerError: a file is malformed, or needs what homespun does not support.
        """
        return cls.from_definition(load_definition(Path(directory)))

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike[str]) -> "Tokenizer":
        """Read a tokenizer at a path, or a well-known one ("gpt2", "cl100k_base", "o200k_base") from this machine.

        Nothing is downloaded: a name is looked for in the folder that the environment variable HOMESPUN_TOKENIZERS
        names and in the caches of tiktoken and Hugging Face.

        Raises:
            MissingFileError: it is in none of these places; the message says which file to put where.
            TokenizerError: a file is malformed, or has a setting that homespun does not support.
        """
        return cls.from_definition(load_pretrained(name_or_path))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, tokenizer_config.json, vocab.json and merges.txt, all or none.

        Raises:
            TokenizerError: the formats cannot represent it: a special token is the same as an ordinary one, or the
                pattern has no equivalent in tokenizer.json. Nothing is written.
            StorageError: the disk refused.
        """
        save_definition(self._definition, Path(directory))

    def encode(self, text: str, special: SpecialPolicy = "encode") -> list[int]:
        """Return the ids of `text`.

        Args:
            text: Anything that UTF-8 can write.
            special: What a special token in `text` becomes: its id ("encode"), ordinary text ("text"), or an error
                ("reject").

        Raises:
            TokenizerError: `text` has a lone surrogate, a byte that the vocabulary lacks, or with "reject" a special
                token.
        """
        try:
            if len(text) < _MIN_LONG:
                return self._encoder.encode(text, special)
            return self._encoder.encode(text, special, resolve_num_threads(None))
        except (UnicodeEncodeError, TypeError) as error:
            raise text_error(text, error) from None

    def encode_iterable(self, iterable: Iterable[str], special: SpecialPolicy = "encode") -> Iterator[int]:
        """Yield the ids of the joined text one by one, as soon as no later text can change them.

        Equal to `encode` of the joined text however it is divided. Memory is bounded by the longest text, pre-token and
        special token; a custom pattern buffers all text between two special tokens.

        Raises:
            TokenizerError: as `encode`, once that place is reached.
        """
        return chain.from_iterable(ids.tolist() for ids in self.encode_stream(iterable, special))

    def encode_stream(
        self, iterable: Iterable[str], special: SpecialPolicy = "encode"
    ) -> Iterator[npt.NDArray[np.uint32]]:
        """Yield what `encode_iterable` yields, as one array per text: the ids that later text cannot change."""
        check_choice("special", special, get_args(SpecialPolicy))
        return self._iterate_arrays(iterable, special)

    def _iterate_arrays(self, iterable: Iterable[str], special: SpecialPolicy) -> Iterator[npt.NDArray[np.uint32]]:
        stream = self._encoder.stream(special)
        for number, text in enumerate(iterable):
            try:
                ids = stream.push(text)
            except (UnicodeEncodeError, TypeError) as error:
                raise text_error(text, error, where=f"text {number}: ") from None
            if len(ids):
                yield ids
        if len(ids := stream.finish()):
            yield ids

    def encode_to_numpy(
        self, text: str | bytes, special: SpecialPolicy = "encode", *, num_threads: int | None = None
    ) -> npt.NDArray[np.uint32]:
        """Return the ids of `text`, a string or its UTF-8 bytes, without converting them to Python integers.

        A long text is encoded on up to `num_threads` threads (None: one per core), with the same ids for any number.

        Raises:
            DataError: the bytes are not UTF-8; the message has the offset. Otherwise as `encode`.
        """
        try:
            return self._encoder.encode_to_numpy(text, special, _num_threads_for(text, num_threads))
        except (UnicodeEncodeError, TypeError) as error:
            raise text_error(text, error) from None

    def encode_with_offsets(
        self,
        text: str | bytes,
        special: SpecialPolicy = "encode",
        *,
        unit: OffsetUnit = "characters",
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        r"""Return the ids of `text`, and for each a row with the start and the end of its token in `text`.

        With `unit="bytes"` these are offsets in the UTF-8 bytes. With "characters" they are offsets in the string, and
        a token that is only some bytes of a character has the whole character, as in Hugging Face's tokenizers with
        `trim_offsets=False`.

            >>> ids, offsets = Tokenizer({0: b"a", 1: b" ", 2: b"\xc3", 3: b"\xa9"}, []).encode_with_offsets("a \xe9")
            >>> offsets.tolist()
            [[0, 1], [1, 2], [2, 3], [2, 3]]

        Raises:
            DataError: the bytes are not UTF-8. Otherwise as `encode`.
        """
        check_choice("unit", unit, get_args(OffsetUnit))
        try:
            return self._encoder.encode_with_offsets(text, special, unit == "characters")
        except (UnicodeEncodeError, TypeError) as error:
            raise text_error(text, error) from None

    def encode_batch(
        self, texts: Sequence[str], special: SpecialPolicy = "encode", *, num_threads: int | None = None
    ) -> list[npt.NDArray[np.uint32]]:
        """Return the ids of each text, on `num_threads` threads (None: one per core), also within a long text."""
        try:
            return self._encoder.encode_batch(texts, special, resolve_num_threads(num_threads))
        except (UnicodeEncodeError, TypeError) as error:
            raise batch_error(texts, error) from None

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """Return the text of `ids`; bytes that are not UTF-8 become U+FFFD.

        Raises:
            DataError: an id is not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_batch(self, batch: Iterable[Sequence[int] | npt.NDArray[np.integer]]) -> list[str]:
        """Return the text of each list of ids."""
        return [self.decode(ids) for ids in batch]

    def decode_bytes(self, ids: Sequence[int] | npt.NDArray[np.integer], *, num_threads: int | None = None) -> bytes:
        """Return the joined bytes of `ids`; many are decoded on up to `num_threads` threads (None: one per core)."""
        try:
            return self._encoder.decode_bytes(ids, _num_threads_for(ids, num_threads))
        except TypeError:
            raise ArgumentTypeError(
                f"ids = {ids!r:.80} is of type {type(ids).__name__}, expected a list or an array of integers"
            ) from None

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yield the text of `ids` as soon as each character is complete; joined it equals `decode`."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for id_ in ids:
            if text := decoder.decode(self.id_to_token(id_)):
                yield text
        if rest := decoder.decode(b"", final=True):
            yield rest

    def token_to_id(self, token: str | bytes) -> int:
        """Return the id of a token; a string may name a special token. `TokenizerError` where there is none."""
        if isinstance(token, str):
            if token in self._definition.special_tokens:
                return self._definition.special_tokens[token]
            token = token.encode()
        if token not in self._ids_of_tokens:
            raise TokenizerError(f"{token!r} is no token of this vocabulary; `encode` gives the ids of any text")
        return self._ids_of_tokens[token]

    def id_to_token(self, id_: int) -> bytes:
        """Return the bytes of a token; `DataError` where no token has that id."""
        try:
            return self._definition.vocab[id_]
        except KeyError:
            raise DataError(
                f"token id {id_} is outside the vocabulary of {len(self):,} tokens; "
                "use the tokenizer that the ids were made with"
            ) from None

    @property
    def vocab(self) -> dict[int, bytes]:
        """Bytes of every id, special tokens included."""
        return dict(self._definition.vocab)

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """Pairs in order of creation."""
        return list(self._definition.merges)

    @property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the special tokens, in the order given."""
        return dict(self._definition.special_tokens)

    @property
    def added_tokens(self) -> dict[str, int]:
        """Ids of the ordinary tokens that no merge makes."""
        return dict(self._definition.added_tokens)

    @property
    def pattern(self) -> str:
        """The regular expression that splits text into pre-tokens."""
        return self._definition.pattern

    def __len__(self) -> int:
        """The number of tokens, special tokens included."""
        return len(self._definition.vocab)

    @cached_property
    def vocab_size(self) -> int:
        """One more than the largest id: the rows that an embedding needs; above `len` where ids are missing."""
        return max(self._definition.vocab, default=-1) + 1

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that are equal where two tokenizers give the same ids to every text."""
        return self._definition.fingerprint()

    @property
    def core(self) -> _native.Encoder:
        """The encoder in Rust, for code that encodes whole corpora with it."""
        return self._encoder

    @cached_property
    def _ids_of_tokens(self) -> dict[bytes, int]:
        return self._definition.ids_of_tokens()

    def _set_definition(self, definition: Definition) -> None:
        self._definition = definition
        self._encoder = _native.Encoder(
            list(definition.vocab.items()),
            definition.merges,
            list(definition.found_tokens().items()),
            list(definition.added_tokens),
            definition.pattern,
            CACHE_BYTES,
        )

    def __reduce__(self) -> tuple[object, ...]:
        # The encoder and its cache are not pickled: they are rebuilt from the definition.
        return Tokenizer.from_definition, (self._definition,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self._definition == other._definition

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return (
            f"Tokenizer({len(self):,} tokens, {len(self._definition.merges):,} merges, "
            f"{len(self._definition.special_tokens)} special, pattern {name_of_pattern(self.pattern):.40}, "
            f"fingerprint {self.fingerprint[:12]})"
        )


def _num_threads_for(work: Sized, num_threads: int | None) -> int:
    # Counting the cores takes longer than encoding a sentence.
    return 1 if num_threads is None and len(work) < _MIN_LONG else resolve_num_threads(num_threads)
