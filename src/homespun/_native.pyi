"""The Rust core (crates/native): text and counts in, tokens and ids out; and the kernels of a training step.

Errors are homespun's own, with two exceptions: an argument of a wrong type is a TypeError, and a string with a lone
surrogate, which UTF-8 cannot write, a UnicodeEncodeError with its index in `start`. The GIL is released while
Rust works, except for encoding less than a kilobyte. Long work notices Ctrl-C. Callbacks and iterators are called on
the calling thread, progress callbacks about ten times a second and once at the end; an exception from one ends the
work.
"""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Literal, Self, final

import numpy as np
import numpy.typing as npt

__all__ = [
    "GPT2_PATTERN",
    "GPT4_PATTERN",
    "O200K_PATTERN",
    "UNICODE_VERSION",
    "Counter",
    "EncodeStream",
    "Encoder",
    "Kernels",
    "MergeTrainer",
    "PretokenCounts",
    "buffer_bytes",
    "encode_documents",
    "encode_text_files",
    "first_cut",
    "instruction_level",
    "instruction_levels",
    "measure_bfloat16_dots",
    "measure_fresh_page",
    "measure_memory",
    "measure_multiply_adds",
    "merge_counts_files",
    "merge_memory_bytes",
    "merges_as_json",
    "read_counts",
    "read_counts_header",
    "release_buffers",
    "split",
    "tokens_as_json",
    "uninitialized",
    "verify_counts",
]

_Floats = npt.NDArray[np.float32]

UNICODE_VERSION: str
GPT2_PATTERN: str
GPT4_PATTERN: str
O200K_PATTERN: str

_Activation = Literal["silu", "relu_squared"]
_BlockParameters = Sequence[_Floats | None]
"""`ln1, q_proj, k_proj, v_proj, output_proj, q_norm, k_norm, ln2, w1, w3, w2, value_gate` and the embedding that this
weighs and adds to the values; None: not there."""
_BlockSettings = tuple[tuple[_Floats, _Floats] | None, int, float, _Activation, bool]
"""Cosines and sines of angles, heads, epsilon of norms, activation without a gate, bfloat16 or not."""
_SpecialPolicy = Literal["encode", "text", "reject"]

def split(text: str, pattern: str) -> list[str]:
    """The pre-tokens of `text`; joined, they equal it."""

def tokens_as_json(tokens: Sequence[tuple[int, bytes]]) -> str:
    """An object from id to bytes in hexadecimal, its keys sorted as strings, without spaces."""

def merges_as_json(merges: Sequence[tuple[bytes, bytes]]) -> str:
    """An array of pairs of bytes in hexadecimal, without spaces."""

@final
class PretokenCounts:
    """Pre-tokens with how often each occurs, in 64 bits."""

    def __new__(cls, counts: Iterable[tuple[bytes, int]]) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def num_bytes(self) -> int:
        """Bytes of all distinct pre-tokens together."""
    @property
    def memory_bytes(self) -> int: ...
    def items(self) -> list[tuple[bytes, int]]:
        """In ascending order of the bytes, whatever the thread count."""

@final
class Counter:
    """The counts of several texts together; unusable after an error.

    Where memory is limited, counts spill to a directory made inside `spill_directory` and removed with the counter.
    """

    def __new__(
        cls,
        special_tokens: Sequence[str],
        pattern: str,
        num_threads: int,
        chunk_bytes: int,
        max_memory_bytes: int | None,
        spill_directory: str | PathLike[str],
    ) -> Self: ...
    def count_file(
        self, path: str | PathLike[str], start: int, end: int, on_progress: Callable[[int, int], None]
    ) -> int:
        """Count a range of a UTF-8 file; return the offset reached, less than `end` if the file is shorter.

        Both ends are offsets that `first_cut` gave. Progress in offsets. Invalid UTF-8: DataError with the offset.
        """
    def count_text(self, chunks: Iterable[bytes], place: str | PathLike[str]) -> None:
        """Count UTF-8 text that arrives in chunks, cut anywhere; errors name `place`."""
    def count_documents(self, batches: Iterable[Sequence[str]]) -> None:
        """Count documents in which special tokens are ordinary text."""
    def finish(self) -> PretokenCounts:
        """Return the counts and leave the counter unusable."""
    def write(self, path: str | PathLike[str], header: bytes) -> tuple[int, int, int]:
        """Write the counts to a file, leaving the counter unusable; returns what `verify_counts` does."""

def first_cut(path: str | PathLike[str], start: int, special_tokens: Sequence[str], pattern: str) -> int:
    """The first offset, from `start` on, at which a text file can be cut into file ranges; its size if none."""

def read_counts_header(path: str | PathLike[str]) -> bytes:
    """The header of a counts file; the rest is not read."""

def verify_counts(path: str | PathLike[str]) -> tuple[int, int, int]:
    """Distinct pre-tokens, their bytes, and occurrences in a counts file; any damage is a DataError."""

def read_counts(
    paths: Sequence[str | PathLike[str]], directory: str | PathLike[str], max_bytes: int | None
) -> PretokenCounts:
    """The sum of counts files, if it fits into `max_bytes`; many are first merged in `directory`."""

def merge_counts_files(
    paths: Sequence[str | PathLike[str]], directory: str | PathLike[str], out: str | PathLike[str], header: bytes
) -> tuple[int, int, int]:
    """Write the sum of counts files to another; returns what `verify_counts` does."""

def merge_memory_bytes(counts: PretokenCounts, num_tokens: int, num_threads: int, has_known: bool) -> int:
    """The most memory that merging to `num_tokens` takes, on top of counts and tokens, with known merges or not."""

@final
class MergeTrainer:
    """BPE training on counts, after merges that are known already; unusable after an error."""

    def __new__(
        cls,
        counts: PretokenCounts,
        known_merges: Sequence[tuple[bytes, bytes]],
        ties: Literal["bytes", "ids"],
        special_tokens: Sequence[bytes],
        num_threads: int,
    ) -> Self:
        """Apply `known_merges` in their order.

        `special_tokens`, as bytes of the printable alphabet, are used by "ids" only.
        """
    @property
    def num_tokens(self) -> int:
        """Distinct tokens in addition to the 256 bytes, those of known merges included."""
    def merge(self, num_tokens: int, on_progress: Callable[[int, int], None]) -> list[tuple[bytes, bytes]]:
        """Merge until there are `num_tokens` or no pair is left; return the merges made. Progress in tokens."""

@final
class Encoder:
    """Text to ids and back for one vocabulary; safe across threads and after a fork."""

    def __new__(
        cls,
        tokens: Sequence[tuple[int, bytes]],
        merges: Sequence[tuple[bytes, bytes]],
        special_tokens: Sequence[tuple[str, int]],
        added_tokens: Sequence[str],
        pattern: str,
        cache_bytes: int,
    ) -> Self:
        """Prepare a vocabulary, whose ids may be any of 32 bits.

        Single bytes may be missing: a text that needs one is refused. Special tokens are added where their ids are
        absent; those that are in `added_tokens` too are found whatever the policy says of special tokens. Where several
        tokens have the same bytes, ordinary text takes the highest id that is no special token's. Each thread at work
        keeps a cache of up to `cache_bytes` (64 KiB at least) for the next.
        """
    def encode(self, text: str, special: _SpecialPolicy, num_threads: int = 1) -> list[int]:
        """Ids of `text`; only a long one uses more than one thread."""
    def encode_to_numpy(
        self, text: str | bytes, special: _SpecialPolicy, num_threads: int = 1
    ) -> npt.NDArray[np.uint32]: ...
    def encode_with_offsets(
        self, text: str | bytes, special: _SpecialPolicy, in_characters: bool = True
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Ids, and for each the start and end of its token in `text`, in characters or in bytes of UTF-8."""
    def encode_batch(
        self, texts: Sequence[str], special: _SpecialPolicy, num_threads: int
    ) -> list[npt.NDArray[np.uint32]]: ...
    def decode_bytes(self, ids: Sequence[int] | npt.NDArray[np.integer], num_threads: int = 1) -> bytes:
        """The bytes of `ids`, joined; an id outside the vocabulary is a DataError with its position."""
    def stream(self, special: _SpecialPolicy) -> EncodeStream: ...

@final
class EncodeStream:
    """Encodes text that arrives in chunks; the ids are those of the joined text, however it is divided.

    After an error the stream is empty and ready for another text.
    """

    def push(self, text: str) -> npt.NDArray[np.uint32]:
        """The ids that no later text can change."""
    def finish(self) -> npt.NDArray[np.uint32]:
        """The rest; the stream is empty and ready for another text."""

@final
class Kernels:
    """Operations of a training step on contiguous arrays, on a number of threads that changes no bit.

    Arrays whose shapes do not fit are a ValueError, ids and targets outside their table an IndexError. The last
    arguments are overwritten with the results, or added to where that is said. `homespun.model.ops.native` says what
    each operation computes.
    """

    def __new__(cls, num_threads: int) -> Self: ...
    def multiply(
        self,
        a: _Floats,
        transposes_a: bool,
        b: _Floats,
        transposes_b: bool,
        c: _Floats,
        adds: bool,
        bfloat16: bool = False,
    ) -> None:
        """The product of two matrices, each as it lies or transposed; added to `c` where it `adds`.

        With `bfloat16` the elements of both are rounded to it, and products are summed in float32.
        """
    def add_rows(self, ids: npt.NDArray[np.int64], drows: _Floats, dtable: _Floats) -> None:
        """Add each row of `drows` to the row of `dtable` that its id names."""
    def normalize(self, x: _Floats, weight: _Floats, eps: float, y: _Floats, inverse_rms: _Floats) -> None: ...
    def normalize_backward(
        self, dy: _Floats, x: _Floats, weight: _Floats, inverse_rms: _Floats, dx: _Floats, dweight: _Floats
    ) -> None:
        """The gradient of `x`; the weight's is added to `dweight`."""
    def silu_gate(self, a: _Floats, b: _Floats, out: _Floats) -> None: ...
    def silu_gate_backward(self, dout: _Floats, a: _Floats, b: _Floats, da: _Floats, db: _Floats) -> None: ...
    def activate(self, name: _Activation, a: _Floats, out: _Floats) -> None: ...
    def activate_backward(self, name: _Activation, dout: _Floats, a: _Floats, da: _Floats) -> None: ...
    def scaled_sum(self, x: _Floats, other: _Floats, scales: tuple[float, float], y: _Floats) -> None: ...
    def scaled_sum_backward(
        self, scales: tuple[float, float], dy: _Floats, x: _Floats, other: _Floats, dx: _Floats, dother: _Floats
    ) -> list[float]: ...
    def rotate(self, x: _Floats, cos: _Floats, sin: _Floats, y: _Floats) -> None:
        """Rotate channel pairs of `x`, (sequence, position, head, channel), by angles (position, pair)."""
    def attention(
        self, q: _Floats, k: _Floats, v: _Floats, out: _Floats, logsumexp: _Floats, bfloat16: bool = False
    ) -> None:
        """All are (sequence, position, head, channel), `logsumexp` without the last."""
    def attention_backward(
        self,
        dout: _Floats,
        q: _Floats,
        k: _Floats,
        v: _Floats,
        out: _Floats,
        logsumexp: _Floats,
        dq: _Floats,
        dk: _Floats,
        dv: _Floats,
        bfloat16: bool = False,
    ) -> None: ...
    def sums_of_squares(self, arrays: Sequence[_Floats]) -> list[float]: ...
    def fill_zero(self, arrays: Sequence[_Floats]) -> None: ...
    def adamw(
        self,
        state: Sequence[tuple[_Floats, _Floats, _Floats, _Floats, int]],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        gradient_scale: float,
        is_cautious: bool = False,
    ) -> None:
        """A step of AdamW for parameters, each with its gradient, both moments, and the number of its steps."""
    def muon(
        self,
        state: Sequence[tuple[_Floats, _Floats, _Floats, _Floats | None, float]],
        momentum: float,
        coefficients: Sequence[tuple[float, float, float]],
        decay: float,
        gradient_scale: float,
        is_cautious: bool = False,
        row_beta: float = 0.0,
        bfloat16: bool = False,
    ) -> None:
        """A step of Muon for matrices, each with its gradient, momentum, mean squares of its rows, and length of step.

        `coefficients` are those of each Newton-Schulz iteration; `decay` is taken off the values, as a share of them.
        """
    @staticmethod
    def block_saved_len(x: _Floats, parameters: _BlockParameters, num_heads: int) -> int: ...
    def block(
        self, parameters: _BlockParameters, settings: _BlockSettings, x: _Floats, saved: _Floats, y: _Floats
    ) -> None: ...
    def block_backward(
        self,
        parameters: _BlockParameters,
        settings: _BlockSettings,
        x: _Floats,
        saved: _Floats,
        dy: _Floats,
        gradients: _BlockParameters,
        dx: _Floats,
    ) -> None:
        """The gradients of a block's input and embedding; those of the parameters are added to `gradients`."""
    def head_loss(
        self,
        hidden: _Floats,
        weight: _Floats,
        targets: npt.NDArray[np.int64],
        losses: _Floats,
        scale: float,
        dhidden: _Floats | None,
        dweight: _Floats | None,
        bfloat16: bool = False,
        soft_cap: float | None = None,
    ) -> None:
        """The loss of each target, and where they are given the gradients for losses whose own is `scale`.

        `dweight` is added to. With `bfloat16` the factors of products are rounded to it. With `soft_cap` the logits are
        c tanh(logit / c).
        """

def uninitialized(len: int) -> _Floats:
    """An array of float32 numbers, whatever they are, whose memory is used again once nothing refers to it."""

def buffer_bytes() -> tuple[int, int]:
    """Bytes of such arrays now, and at the most since the last `release_buffers`."""

def release_buffers() -> None:
    """Return to the system what memory of such arrays is free."""

def instruction_level() -> str:
    """The instructions that operations use: one of `instruction_levels`."""

def instruction_levels() -> list[str]:
    """The instructions that this processor has of "portable", "avx2", "avx512" and "avx512bf16", in this order."""

def measure_multiply_adds(level: str, num_threads: int) -> float:
    """The FLOP/s of float32 multiply-adds in registers, on all threads together: an addition and a product are 2."""

def measure_bfloat16_dots(num_threads: int) -> float | None:
    """The FLOP/s of bfloat16 dot products in registers, on all threads together; None: no instruction for them."""

def measure_memory(num_bytes: int, num_threads: int) -> tuple[float, float]:
    """Bytes a second of reading a buffer of `num_bytes`, and of copying it to another: bytes read plus written."""

def measure_fresh_page(page_bytes: int) -> float:
    """The seconds of the first write to a page of memory, on one thread."""

def encode_text_files(
    encoder: Encoder,
    paths: Sequence[str | PathLike[str]],
    start: int,
    end: int | None,
    separator: tuple[str, int],
    closes_last: bool,
    num_threads: int,
    chunk_bytes: int,
    id_bytes: int,
    on_block: Callable[[tuple[int, int, int], npt.NDArray[np.unsignedinteger], tuple[int, int]], None],
) -> None:
    """Encode UTF-8 files one after the other, from the byte `start` of the first to the byte `end` of the last.

    Both are places where text can be cut: the beginning of a block, or what `first_cut` gave for the separator.

    The separator (its text and id) is the only special token. It is written between files, and after the last one if
    `closes_last` is set or the file ends with one. `on_block` is called on this thread, while others encode, with

    - the file's place in the list, the byte at which the block begins in it, and the byte after its end;
    - the ids, uint16 where `id_bytes` is 2, uint32 where it is 4;
    - the bytes of the ids' tokens, and how many ids are separators.

    Encoding that starts at the beginning of a block gives the same ids from there, for any threads and `chunk_bytes`.
    """

def encode_documents(
    encoder: Encoder,
    documents: Sequence[str],
    separator: tuple[str, int],
    closes_last: bool,
    num_threads: int,
    id_bytes: int,
) -> tuple[npt.NDArray[np.unsignedinteger], int, int]:
    """The ids of ordinary texts with a separator after each, after the last one only where `closes_last`.

    uint16 where `id_bytes` is 2, uint32 where it is 4; with the bytes of their text and the number of separators.
    """
