"""The tokenizer that everything else uses: text to ids and back, by the Rust core."""

import codecs
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from homespun import _native
from homespun.config import check_choice
from homespun.errors import DataError, TokenizerError
from homespun.tokenizer.config import resolve_num_threads
from homespun.tokenizer.definition import Definition, define
from homespun.tokenizer.storage import load_definition, read_gpt2_files, read_tiktoken_file, save_definition

SpecialPolicy = Literal["encode", "text", "reject"]
"""What a special token inside a text becomes: its id, ordinary text, or an error."""

SPECIAL_POLICIES = ("encode", "text", "reject")

OffsetUnit = Literal["characters", "bytes"]
"""What `encode_with_offsets` counts in."""

OFFSET_UNITS = ("characters", "bytes")

CACHE_BYTES = 64 * 2**20
"""Memory that each thread encoding with a tokenizer may keep for pre-tokens it has met."""

_MIN_LONG = 2**16
"""Texts or ids shorter than this are never worth a second thread."""


class Tokenizer:
    """Byte-level BPE for one vocabulary; immutable, picklable, safe after fork and across threads.

    Text is cut at special tokens (the longest where several begin), then by `pattern` into pre-tokens; inside each the
    merges are applied in order of creation. Every text has ids, and `decode` gives it back.

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
        """Build from parts, as `train_bpe` returns them.

        Args:
            vocab: Bytes of each id.
            merges: In order of creation.
            special_tokens: Those that `vocab` lacks get the ids after its last.
            pattern: "gpt2", "gpt4", "o200k" or a regular expression; text that it does not match is split off too.
            added_tokens: Ordinary tokens that no merge makes, found as special tokens are, whatever those become.

        Raises:
            TokenizerError: the parts contradict each other.
            ConfigError: a special token is empty or given twice, or the pattern is no name and no regular expression.
        """
        self._set_definition(define(vocab, merges, special_tokens or [], pattern, added_tokens or []))

    @classmethod
    def from_definition(cls, definition: Definition) -> "Tokenizer":
        """A tokenizer of parts that have been checked."""
        tokenizer = cls.__new__(cls)
        tokenizer._set_definition(definition)
        return tokenizer

    @classmethod
    def from_files(
        cls,
        vocab_filepath: str | os.PathLike[str],
        merges_filepath: str | os.PathLike[str],
        special_tokens: Sequence[str] | None = None,
        *,
        pattern: str = "gpt2",
    ) -> "Tokenizer":
        """Read vocab.json and merges.txt in GPT-2's printable bytes.

        Raises:
            MissingFileError: one of the files does not exist.
            TokenizerError: one is malformed, or they do not belong together.
        """
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
        """Read a `.tiktoken` file, which holds neither special tokens nor pattern: say what they are.

        Raises:
            MissingFileError: the file does not exist.
            TokenizerError: it is malformed, or a special token's id is taken.
        """
        return cls.from_definition(read_tiktoken_file(Path(path), special_tokens, pattern))

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Tokenizer":
        """Read a tokenizer directory: tokenizer.json, or else vocab.json with merges.txt.

        The latter say nothing of pattern and special tokens: the pattern is GPT-2's, special are the tokens that no
        merge makes.

        Raises:
            MissingFileError: there is no tokenizer at that place.
            TokenizerError: a file is malformed, or asks for what homespun does not do.
        """
        return cls.from_definition(load_definition(Path(directory)))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, vocab.json and merges.txt, each whole or not at all.

        Raises:
            TokenizerError: a special token is spelled like an ordinary one, which the formats cannot tell apart.
            StorageError: the disk refused.
        """
        save_definition(self._definition, Path(directory))

    def encode(self, text: str, special: SpecialPolicy = "encode") -> list[int]:
        """Ids of `text`.

        Args:
            text: Anything that UTF-8 can write.
            special: What a special token in `text` becomes: its id ("encode"), ordinary text ("text"), or an error
                ("reject").

        Raises:
            TokenizerError: `text` holds a lone surrogate, a byte that the vocabulary lacks, or with "reject" a special
                token.
        """
        try:
            if len(text) < _MIN_LONG:
                return self._encoder.encode(text, special)
            return self._encoder.encode(text, special, resolve_num_threads(None))
        except UnicodeEncodeError as error:
            raise _lone_surrogate(error) from None

    def encode_iterable(self, iterable: Iterable[str], special: SpecialPolicy = "encode") -> Iterator[int]:
        """Ids of the joined text, one by one, as soon as no later text can change them.

        Equal to `encode` of the joined text however it is cut. Memory is bounded by the longest piece, pre-token and
        special token; a pattern of your own holds the text between two special tokens.

        Raises:
            TokenizerError: as `encode`, once that place is reached.
        """
        return chain.from_iterable(ids.tolist() for ids in self.encode_stream(iterable, special))

    def encode_stream(
        self, iterable: Iterable[str], special: SpecialPolicy = "encode"
    ) -> Iterator[npt.NDArray[np.uint32]]:
        """What `encode_iterable` gives, in arrays: for each piece of text one with the ids that it settles.

        Raises:
            TokenizerError: as `encode`, once that place is reached.
        """
        check_choice("special", special, SPECIAL_POLICIES)
        return self._iterate_arrays(iterable, special)

    def _iterate_arrays(self, iterable: Iterable[str], special: SpecialPolicy) -> Iterator[npt.NDArray[np.uint32]]:
        stream = self._encoder.stream(special)
        for number, text in enumerate(iterable):
            try:
                ids = stream.push(text)
            except UnicodeEncodeError as error:
                raise _lone_surrogate(error, where=f"piece {number}: ") from None
            if len(ids):
                yield ids
        if len(ids := stream.finish()):
            yield ids

    def encode_to_numpy(
        self, text: str | bytes, special: SpecialPolicy = "encode", *, num_threads: int | None = None
    ) -> npt.NDArray[np.uint32]:
        """Ids of `text`, given as a string or as its UTF-8 bytes, without making Python integers of them.

        A long text is encoded on up to `num_threads` threads (None: one a core), with the same ids for any number.

        Raises:
            TokenizerError: as `encode`.
            DataError: the bytes are not UTF-8; the message has the offset.
        """
        try:
            return self._encoder.encode_to_numpy(text, special, _num_threads_for(text, num_threads))
        except UnicodeEncodeError as error:
            raise _lone_surrogate(error) from None

    def encode_with_offsets(
        self,
        text: str | bytes,
        special: SpecialPolicy = "encode",
        *,
        unit: OffsetUnit = "characters",
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        r"""Ids of `text`, and for each a row that says where in `text` its token begins and ends.

        With `unit="bytes"` the rows are places in the UTF-8 bytes, and `text[begin:end]` of these is what the token
        spells. With "characters" they are places in the string. There a token may hold part of a character only: its
        row then has the whole character, as have the rows of its neighbours that hold the rest. So do Hugging Face's
        tokenizers (with `trim_offsets=False`). Rows touch.

            >>> ids, offsets = Tokenizer({0: b"a", 1: b" ", 2: b"\xc3", 3: b"\xa9"}, []).encode_with_offsets("a \xe9")
            >>> offsets.tolist()
            [[0, 1], [1, 2], [2, 3], [2, 3]]

        Raises:
            TokenizerError: as `encode`.
            DataError: the bytes are not UTF-8.
            ConfigError: `unit` is neither.
        """
        check_choice("unit", unit, OFFSET_UNITS)
        try:
            return self._encoder.encode_with_offsets(text, special, unit == "characters")
        except UnicodeEncodeError as error:
            raise _lone_surrogate(error) from None

    def encode_batch(
        self, texts: Sequence[str], special: SpecialPolicy = "encode", *, num_threads: int | None = None
    ) -> list[npt.NDArray[np.uint32]]:
        """Ids of each text, on `num_threads` threads (None: one a core); a long one is spread over all of them.

        Raises:
            TokenizerError: as `encode`, for one of the texts.
        """
        try:
            return self._encoder.encode_batch(texts, special, resolve_num_threads(num_threads))
        except UnicodeEncodeError as error:
            raise _lone_surrogate(error) from None

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer]) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD.

        Raises:
            DataError: an id is not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Sequence[int] | npt.NDArray[np.integer], *, num_threads: int | None = None) -> bytes:
        """The bytes of `ids`, joined; of many ids on up to `num_threads` threads (None: one a core).

        Raises:
            DataError: an id is not in the vocabulary.
        """
        return self._encoder.decode_bytes(ids, _num_threads_for(ids, num_threads))

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of `ids` in pieces, each as soon as its last character is whole; joined they equal `decode`.

        Raises:
            DataError: an id is not in the vocabulary.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for id_ in ids:
            if text := decoder.decode(self.id_to_token(id_)):
                yield text
        if rest := decoder.decode(b"", final=True):
            yield rest

    def token_to_id(self, token: str | bytes) -> int:
        """The id of a token; a string may name a special token.

        Raises:
            TokenizerError: there is no such token.
        """
        if isinstance(token, str):
            if token in self._definition.special_tokens:
                return self._definition.special_tokens[token]
            token = token.encode()
        if token not in self._ids_of_tokens:
            raise TokenizerError(f"{token!r} is no token of this vocabulary; `encode` gives the ids of any text")
        return self._ids_of_tokens[token]

    def id_to_token(self, id_: int) -> bytes:
        """The bytes of a token.

        Raises:
            DataError: no token has that id.
        """
        try:
            return self._definition.vocab[id_]
        except KeyError:
            raise DataError(
                f"token id {id_} is outside the vocabulary of {self.vocab_size:,} tokens; "
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
        """The regular expression that cuts text into pre-tokens."""
        return self._definition.pattern

    @cached_property
    def vocab_size(self) -> int:
        """One more than the largest id: the rows that a model's embedding needs."""
        return max(self._definition.vocab, default=-1) + 1

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that are equal where two tokenizers give the same ids to every text."""
        return self._definition.fingerprint()

    @property
    def core(self) -> _native.Encoder:
        """The encoder in Rust, for what encodes whole corpora with it."""
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
        # The encoder and its cache stay behind: they are rebuilt from the definition.
        return Tokenizer.from_definition, (self._definition,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self._definition == other._definition

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, fingerprint={self.fingerprint[:12]})"


def _num_threads_for(work: Sized, num_threads: int | None) -> int:
    # Counting the cores takes longer than encoding a sentence.
    return 1 if num_threads is None and len(work) < _MIN_LONG else resolve_num_threads(num_threads)


def _lone_surrogate(error: UnicodeEncodeError, where: str = "") -> TokenizerError:
    return TokenizerError(
        f"{where}index {error.start} of the text is the lone surrogate {error.object[error.start]!r}, which is no "
        "character; read the text as UTF-8, or replace it with text.encode('utf-8', 'replace').decode()"
    )
