"""The tokenizer's interface, on vocabularies small enough to follow by hand."""

import hashlib
import json
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest

from homespun.errors import DataError, TokenizerError
from homespun.tokenizer import Tokenizer, train_bpe_from_counts
from homespun.tokenizer.unicode_tables import UNICODE_VERSION

END = "<|endoftext|>"
TEXT = "the cat sat on the mat, the hat\n\nand \u4e2d\u6587 \U0001f600"


@pytest.fixture(scope="module")
def tokenizer():
    counts = {b"the": 9, b" the": 9, b" cat": 4, b" sat": 3, b" mat": 3, b"\xe4\xb8\xad": 2}
    vocab, merges = train_bpe_from_counts(counts, 275, [END])
    return Tokenizer(vocab, merges, [END])


def test_the_cat_ate():
    """Oracle: the assignment's worked example."""
    letters = [" ", "a", "c", "e", "h", "t", "th", " c", " a", "the", " at"]
    vocab = {id_: token.encode() for id_, token in enumerate(letters)}
    merges = [(b"t", b"h"), (b" ", b"c"), (b" ", b"a"), (b"th", b"e"), (b" a", b"t")]
    assert Tokenizer(vocab, merges).encode("the cat ate") == [9, 7, 1, 5, 10, 3]


def test_decoding_inverts_every_way_of_encoding(tokenizer):
    """Oracle: identity, and the ways against each other."""
    text = f"{TEXT}{END}{TEXT}"
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(np.array(ids)) == text.encode()
    assert tokenizer.encode_to_numpy(text).tolist() == ids
    assert tokenizer.encode_to_numpy(text.encode()).tolist() == ids
    assert tokenizer.encode_to_numpy(text).dtype == np.uint32
    assert list(tokenizer.encode_iterable(text)) == ids
    assert [array.tolist() for array in tokenizer.encode_batch([text, "", TEXT], num_threads=2)] == [
        ids,
        [],
        tokenizer.encode(TEXT),
    ]


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_threads_change_nothing(tokenizer, num_threads):
    """Oracles: encoding in pieces, and identity; a text long enough to be spread."""
    text = f"{TEXT}{END} {TEXT}" * 12_000
    ids = np.array(list(tokenizer.encode_iterable(text[k : k + 99_999] for k in range(0, len(text), 99_999))))
    np.testing.assert_array_equal(tokenizer.encode_to_numpy(text, num_threads=num_threads), ids)
    np.testing.assert_array_equal(tokenizer.encode_batch(["a", text], num_threads=num_threads)[1], ids)
    assert tokenizer.decode_bytes(ids.astype(np.uint16), num_threads=num_threads) == text.encode()
    assert tokenizer.decode_bytes(ids[::-1], num_threads=num_threads) == tokenizer.decode_bytes(ids[::-1].tolist())


@pytest.mark.parametrize("special", ["encode", "text"])
def test_offsets_hold_what_the_tokens_spell(tokenizer, special):
    """Oracles: `encode` for the ids, decoding each for its bytes, the characters that hold those bytes."""
    text = f"{TEXT}{END} \u4e2d\u4e2d\u00e9{TEXT}"
    data = text.encode()
    ids, in_bytes = tokenizer.encode_with_offsets(data, special, unit="bytes")
    assert ids.tolist() == tokenizer.encode(text, special)
    assert [data[start:end] for start, end in in_bytes.tolist()] == [tokenizer.id_to_token(id_) for id_ in ids.tolist()]
    same_ids, in_characters = tokenizer.encode_with_offsets(text, special)
    np.testing.assert_array_equal(ids, same_ids)
    character_of = [place for place, character in enumerate(text) for _ in character.encode()]
    expected = [[character_of[start], character_of[end - 1] + 1] for start, end in in_bytes.tolist()]
    assert in_characters.tolist() == expected
    assert tokenizer.encode_with_offsets("")[1].shape == (0, 2)


@pytest.mark.parametrize("text", ["", END, END * 2, "a", " ", "\0", "\r\n"])
def test_edges_of_text(tokenizer, text):
    """Oracle: identity."""
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_policies(tokenizer):
    """Oracle: the three policies as documented: the id, ordinary text, or an error."""
    assert tokenizer.encode(f"a{END}") == [98, 0]
    as_text = tokenizer.encode(f"a{END}", special="text")
    assert 0 not in as_text
    assert tokenizer.decode(as_text) == f"a{END}"
    with pytest.raises(TokenizerError, match="endoftext"):
        tokenizer.encode(f"a{END}", special="reject")
    assert tokenizer.encode("a", special="reject") == [98]


def test_longest_special_token_wins():
    """Oracle: the assignment's test of overlapping special tokens."""
    single, double = END, END * 2
    tokenizer = Tokenizer({byte: bytes([byte]) for byte in range(256)}, [], [single, double])
    assert tokenizer.special_tokens == {single: 256, double: 257}
    assert tokenizer.encode(f"a{double}b{single}") == [97, 257, 98, 256]


def test_absent_special_tokens_are_appended(tokenizer):
    """Oracle: derived by hand."""
    extended = Tokenizer(tokenizer.vocab, tokenizer.merges, [END, "<pad>"])
    assert extended.special_tokens == {END: 0, "<pad>": tokenizer.vocab_size}
    assert extended.vocab_size == tokenizer.vocab_size + 1
    assert extended.encode("<pad>the") == [tokenizer.vocab_size, *tokenizer.encode("the")]


def test_a_special_token_that_is_also_a_byte_has_its_own_id():
    """Oracle: the documented order of ids; text gets the byte's id under "text", the special one under "encode"."""
    vocab, merges = train_bpe_from_counts({b"ba": 1}, 258, ["a"])
    tokenizer = Tokenizer(vocab, merges, ["a"])
    assert tokenizer.encode("a") == [0]
    assert tokenizer.encode("ba", special="text") == [257]
    assert tokenizer.encode("xa", special="text") == [121, 98]
    assert tokenizer.token_to_id("a") == 0
    assert tokenizer.token_to_id(b"a") == 98


def test_encode_iterable_is_lazy(tokenizer):
    """Oracle: an endless text, of which a few ids are taken."""

    def forever():
        while True:
            yield "the cat "

    assert len(list(islice(tokenizer.encode_iterable(forever()), 10))) == 10


@pytest.mark.parametrize("ids", [[0xE4], [200], [1 + 0xE4, 1 + 0xB8], [1 + 0x80] * 3])
def test_malformed_bytes_become_replacement_characters(tokenizer, ids):
    """Oracle: Python's own decoder."""
    expected = tokenizer.decode_bytes(ids).decode("utf-8", errors="replace")
    assert tokenizer.decode(ids) == expected
    assert "".join(tokenizer.decode_stream(ids)) == expected


def test_decode_stream_never_breaks_a_character():
    """Oracle: identity, and that no piece holds U+FFFD although every token is one byte."""
    tokenizer = Tokenizer({byte: bytes([byte]) for byte in range(256)}, [])
    pieces = list(tokenizer.decode_stream(tokenizer.encode(TEXT)))
    assert "".join(pieces) == TEXT
    assert all(len(piece) == 1 for piece in pieces)


@pytest.mark.parametrize("bad_id", [275, -1, 2**32, 2**70])
def test_ids_outside_the_vocabulary_are_refused(tokenizer, bad_id):
    """Oracle: the id in the message."""
    for decode in (tokenizer.decode, tokenizer.decode_bytes, lambda ids: list(tokenizer.decode_stream(ids))):
        with pytest.raises(DataError, match=f"{bad_id}|outside the vocabulary"):
            decode([1, bad_id])
    with pytest.raises(DataError, match=str(bad_id)):
        tokenizer.id_to_token(bad_id)


def test_unknown_tokens_are_refused(tokenizer):
    """Oracle: the token in the message."""
    assert tokenizer.token_to_id("the") == tokenizer.token_to_id(b"the") == tokenizer.encode("the")[0]
    with pytest.raises(TokenizerError, match="elephant"):
        tokenizer.token_to_id("elephant")


def test_bytes_that_the_vocabulary_lacks_are_refused():
    """Oracle: 'b' is not in a vocabulary of 'a'."""
    with pytest.raises(TokenizerError):
        Tokenizer({0: b"a"}, []).encode("ab")


@pytest.mark.parametrize("text", ["ab\ud800c", "\udfff", "x" * 1000 + "\ud83d\ude00"])
def test_lone_surrogates_are_refused_with_their_index(tokenizer, text):
    """Oracle: str.encode's own index; the error is a ValueError."""
    index = next(i for i, character in enumerate(text) if "\ud800" <= character <= "\udfff")
    for encode in (tokenizer.encode, tokenizer.encode_to_numpy, lambda t: list(tokenizer.encode_iterable([t]))):
        with pytest.raises(ValueError, match=rf"index {index} of the text"):
            encode(text)
    with pytest.raises(TokenizerError, match="surrogate"):
        tokenizer.encode_batch(["fine", text])


@pytest.mark.parametrize(
    ("vocab", "merges", "message"),
    [
        ({0: b"a", 1: b"a"}, [], "ids 0 and 1 are both b'a'"),
        ({0: b""}, [], "empty"),
        ({-1: b"a"}, [], "id -1 is out of range"),
        ({2**32: b"a"}, [], "out of range"),
        ({0: b"a", 1: b"b"}, [(b"a", b"b")], r"merge 1 .*lacks"),
        ({0: b"a", 1: b"ab"}, [(b"a", b"b")], r"merge 1 .*needs the token b'b'"),
        ({0: b"a", 1: b"aa", 2: b"aaa"}, [(b"aa", b"a"), (b"a", b"a")], "merge 2 .*merge 1 takes already"),
    ],
)
def test_contradictions_are_refused(vocab, merges, message):
    """Oracle: the place in the message."""
    with pytest.raises(TokenizerError, match=message):
        Tokenizer(vocab, merges)


def test_fingerprint_changes_with_every_part(tokenizer):
    """Oracle: the list of what docs/design/formats.md says it is taken over."""
    vocab, merges = tokenizer.vocab, tokenizer.merges
    renumbered = {id_ + 1000: token for id_, token in vocab.items()}
    variants = [
        tokenizer,
        Tokenizer(vocab, merges),
        Tokenizer(vocab, merges[:-1], [END]),
        Tokenizer(vocab, merges, [END], pattern="gpt4"),
        Tokenizer(renumbered, merges, [END]),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert Tokenizer(dict(reversed(vocab.items())), merges, [END]).fingerprint == tokenizer.fingerprint


def test_fingerprint_is_golden():
    """Golden: sha256sum of the canonical JSON in the docstring of `Definition.fingerprint`, written by hand."""
    tokenizer = Tokenizer({0: b"a", 1: b"b", 2: b"ab"}, [(b"a", b"b")], ["<s>"], pattern="[ab]+")
    assert tokenizer.fingerprint == "23d18eb399fabb5556dbe1e10eadc2a36382eaf50fefe7dacdba1a9fb24e4d19"


def test_fingerprint_is_that_of_the_documented_json(tokenizer):
    """Oracle: Python's own JSON, on ids that sort otherwise as strings and on names that JSON escapes."""
    vocab = {3 * id_: token for id_, token in tokenizer.vocab.items() if id_ not in tokenizer.special_tokens.values()}
    scattered = Tokenizer(vocab, tokenizer.merges, ['"caf\u00e9"\n'], pattern=r"\s+|\S+")
    canonical = {
        "merges": [(left.hex(), right.hex()) for left, right in scattered.merges],
        "pattern": scattered.pattern,
        "special_tokens": scattered.special_tokens,
        "unicode": UNICODE_VERSION,
        "vocab": {str(id_): token.hex() for id_, token in scattered.vocab.items()},
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    assert scattered.fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_stream_gives_the_ids_in_arrays(tokenizer):
    """Oracle: `encode` of the joined text; nothing is given before it is certain, nor empty."""
    pieces = [TEXT[start : start + 7] for start in range(0, len(TEXT), 7)]
    arrays = list(tokenizer.encode_stream(iter(pieces)))
    assert [id_ for ids in arrays for id_ in ids.tolist()] == tokenizer.encode(TEXT)
    assert all(len(ids) and ids.dtype == np.uint32 for ids in arrays)
    assert list(tokenizer.encode_stream([])) == []


def test_pickling_keeps_everything(tokenizer):
    """Oracle: equality."""
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy == tokenizer
    assert copy.fingerprint == tokenizer.fingerprint
    assert copy.encode(TEXT) == tokenizer.encode(TEXT)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_can_encode(tokenizer, method):
    """Oracle: the parent's ids; the parent has used its worker threads before it forks."""
    expected = [array.tolist() for array in tokenizer.encode_batch([TEXT] * 20, num_threads=2)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(tokenizer.encode, [TEXT] * 4) == expected[:4]
        in_child = pool.apply_async(encode_batch, (tokenizer, [TEXT] * 20)).get(timeout=20)
    assert in_child == expected


def encode_batch(tokenizer, texts):
    return [array.tolist() for array in tokenizer.encode_batch(texts, num_threads=2)]


def test_threads_share_one_tokenizer(tokenizer):
    """Oracle: the ids of one thread."""
    texts = [f"{TEXT} {number}" for number in range(200)]
    expected = [tokenizer.encode(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(tokenizer.encode, texts)) == expected


WRONG_TYPES = """
from homespun.errors import HomespunError
from homespun.tokenizer import Tokenizer

tokenizer = Tokenizer({i: bytes([i]) for i in range(256)}, [])
for call, facts in (
    (lambda: tokenizer.encode(None), ["text = None", "NoneType", "str"]),
    (lambda: tokenizer.encode(b"x"), ["text = b'x'", "decode"]),
    (lambda: tokenizer.encode_batch("ab"), ["texts = 'ab'", "list"]),
    (lambda: tokenizer.encode_batch(["a", b"x"]), ["texts[1]", "b'x'", "str"]),
    (lambda: tokenizer.encode_batch(["a", "b\\ud800"]), ["texts[1]", "index 1", "surrogate"]),
    (lambda: tokenizer.decode("abc"), ["ids = 'abc'", "integers"]),
    (lambda: Tokenizer.load("vocab.json"), ["vocab.json", "directory"]),
):
    try:
        call()
    except HomespunError as error:
        missing = [fact for fact in facts if fact not in str(error)]
        assert not missing and "\\n" not in str(error), (str(error), missing)
    else:
        raise AssertionError(facts)
"""


def test_arguments_of_a_wrong_type_are_named():
    """Oracle: argument, value and what is expected, in the message. In a process without the hook that checks types."""
    done = subprocess.run([sys.executable, "-c", WRONG_TYPES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
