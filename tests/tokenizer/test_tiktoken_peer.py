"""GPT-2's tokenizer as tiktoken runs it, against ours with the same vocabulary and merges."""

import base64
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiktoken

from homespun.tokenizer import Tokenizer

pytestmark = pytest.mark.peers

END = "<|endoftext|>"
END_ID = 50_256

GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
CL100K_PATTERN = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
    r"""|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
)

# Blocks of every plane that has characters: scripts, symbols, emoji, joiners, private use.
BLOCKS = [
    *((0x00, 0x7F), (0x00, 0x20), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x8FF)),
    *((0x900, 0xDFF), (0xE00, 0x10FF), (0x1100, 0x13FF), (0x1600, 0x1AFF), (0x1E00, 0x206F), (0x2070, 0x2BFF)),
    *((0x3000, 0x30FF), (0x3400, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFFFF)),
    *((0x10000, 0x107FF), (0x12000, 0x123FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x200FF)),
    *((0xE0000, 0xE01EF), (0x10FFF0, 0x10FFFF)),
]
FRAGMENTS = [
    *("'s", "'LL", "'ve", "'\u017f", "  ", "\n\n", "\r\n", "\t", "\xa0", "\u3000", "\x1c", "\x85", "\u200b", "\u2028"),
    *(
        "<|",
        "|>",
        "<|endof",
        "text|>",
        "endoftext",
        "<|endoftext|",
        "1234567",
        "\u0661\u0662",
        "\xb2\xbd",
        "...",
        "!!!\n",
    ),
    *("the ", " and", "ing", "e\u0301", "\U0001f468\u200d\U0001f469", "\U0001f1e9\U0001f1ea", "\0", "\ufeff", END),
]


@pytest.fixture(scope="module")
def ours(shared_data) -> Tokenizer:
    folder = shared_data / "assignment"
    return Tokenizer.from_files(folder / "gpt2_vocab.json", folder / "gpt2_merges.txt", [END])


@pytest.fixture(scope="module")
def ranks(ours) -> dict[bytes, int]:
    """GPT-2's ranks. tiktoken's own "gpt2" needs the network; the vocabulary's ids are the ranks."""
    return {token: id_ for id_, token in ours.vocab.items() if id_ != END_ID}


@pytest.fixture(scope="module")
def theirs(ranks) -> tiktoken.Encoding:
    return tiktoken.Encoding("gpt2", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={END: END_ID})


def random_strings(number: int, seed: int) -> Iterator[str]:
    """Strings of one or a few scripts, of fragments, or of runs."""
    draw = random.Random(seed)
    for _ in range(number):
        pieces = []
        for _ in range(draw.randrange(1, 8)):
            first, last = draw.choice(BLOCKS)
            kind = draw.random()
            if kind < 0.4:
                pieces.append("".join(chr(draw.randint(first, last)) for _ in range(draw.randrange(1, 8))))
            elif kind < 0.9:
                pieces.append(draw.choice(FRAGMENTS))
            else:
                pieces.append(chr(draw.randint(first, last)) * draw.choice((2, 3, 10, 100)))
        yield "".join(pieces)


def check_equal(ours: Tokenizer, theirs: tiktoken.Encoding, text: str) -> None:
    ids = theirs.encode(text, allowed_special="all")
    assert ours.encode(text) == ids, text
    assert ours.encode(text, special="text") == theirs.encode_ordinary(text), text
    assert ours.decode(ids) == text


def random_pieces(text: str, draw: random.Random) -> list[str]:
    edges = sorted(draw.randrange(len(text) + 1) for _ in range(draw.randrange(1, 12)))
    return [text[begin:end] for begin, end in zip([0, *edges], [*edges, len(text)], strict=True)]


@pytest.mark.parametrize("name", ["address.txt", "german.txt", "tinystories_sample.txt", "corpus.en"])
def test_small_texts(ours, theirs, name, shared_data):
    """Oracle: tiktoken."""
    check_equal(ours, theirs, (shared_data / "assignment" / name).read_bytes().decode())


def test_generated_strings(ours, theirs):
    """Oracle: tiktoken."""
    for text in random_strings(2_000, seed=0):
        check_equal(ours, theirs, text)


def test_generated_strings_under_gpt4s_pattern(ours, ranks):
    """Oracle: tiktoken with cl100k's pattern, GPT-2's ranks in place of its own, which need the network."""
    theirs = tiktoken.Encoding("cl100k", pat_str=CL100K_PATTERN, mergeable_ranks=ranks, special_tokens={END: END_ID})
    with_pattern = Tokenizer(ours.vocab, ours.merges, [END], pattern="gpt4")
    for text in random_strings(2_000, seed=1):
        check_equal(with_pattern, theirs, text)


def test_generated_strings_under_o200ks_pattern(ours, ranks):
    """Oracle: tiktoken with o200k's pattern, GPT-2's ranks in place of its own, which need the network."""
    with_pattern = Tokenizer(ours.vocab, ours.merges, [END], pattern="o200k")
    theirs = tiktoken.Encoding(
        "o200k", pat_str=with_pattern.pattern, mergeable_ranks=ranks, special_tokens={END: END_ID}
    )
    for text in random_strings(2_000, seed=3):
        check_equal(with_pattern, theirs, text)


def test_a_tiktoken_file_holds_all_of_gpt2(ours, ranks, tmp_path):
    """Oracle: GPT-2's own list of merges, which the ranks alone give back."""
    path = tmp_path / "gpt2.tiktoken"
    lines = (f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())
    path.write_text("".join(lines))
    assert Tokenizer.from_tiktoken(path, {END: END_ID}, pattern="gpt2") == ours


def test_malformed_ids_decode_alike(ours, theirs):
    """Oracle: tiktoken, whose decode replaces malformed bytes too."""
    draw = random.Random(2)
    for _ in range(500):
        ids = [draw.randrange(END_ID + 1) for _ in range(20)]
        assert ours.decode(ids) == theirs.decode(ids) == "".join(ours.decode_stream(ids))


@pytest.mark.parametrize("text", ["a" * 20_000, " " * 20_000, "ab" * 10_000, "^" * 20_000, "\n" * 5_000 + "x"])
def test_long_runs(ours, theirs, text):
    """Oracle: tiktoken."""
    check_equal(ours, theirs, text)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_generated_strings(ours, theirs):
    """Oracle: tiktoken."""
    for text in random_strings(100_000, seed=3):
        check_equal(ours, theirs, text)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_chunkings(ours, shared_data):
    """Oracle: `encode` of the whole text."""
    draw = random.Random(4)
    texts = [(shared_data / "assignment" / name).read_bytes().decode() for name in ("german.txt", "address.txt")]
    for text in [*texts * 1_000, *random_strings(8_000, seed=5)]:
        assert list(ours.encode_iterable(random_pieces(text, draw))) == ours.encode(text), text


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "name",
    [
        *("assignment/tinystories_sample_5M.txt", "tinystories/train.txt", "tinystories/valid.txt"),
        *("english/train.txt.xz", "english/valid.txt.xz", "multilingual/train.txt.xz", "code/train.txt.xz"),
    ],
)
def test_whole_corpora(ours, theirs, name, shared_data):
    """Oracle: tiktoken, document by document, as it is slow on long texts."""
    for document in read_documents(shared_data / name):
        ids = ours.encode_to_numpy(document, special="text")
        expected = theirs.encode_to_numpy(document, disallowed_special=())
        np.testing.assert_array_equal(ids, expected)
        assert ours.decode_bytes(ids) == document.encode()


def read_documents(path: Path) -> list[str]:
    data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    return data.decode().split(END)


def test_the_vocabulary_is_read_as_it_is(ours, shared_data):
    """Oracle: the JSON file itself."""
    words = json.loads((shared_data / "assignment" / "gpt2_vocab.json").read_text())
    assert ours.vocab_size == len(words) == END_ID + 1
    assert ours.token_to_id(" the") == words["\u0120the"]
