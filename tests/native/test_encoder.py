"""The border between Python and Rust: what arguments may be, what comes back, which error is raised."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from homespun import _native
from homespun.errors import ConfigError, DataError, TokenizerError

# The assignment's worked example, with a special token and an id far away.
TOKENS = dict(enumerate([b" ", b"a", b"c", b"e", b"h", b"t", b"th", b" c", b" a", b"the", b" at"]))
MERGES = [(b"t", b"h"), (b" ", b"c"), (b" ", b"a"), (b"th", b"e"), (b" a", b"t")]
END = ("<|end|>", 4_000_000_000)


def make_encoder(tokens=TOKENS, merges=MERGES, special_tokens=(END,), pattern=_native.GPT2_PATTERN):
    return _native.Encoder(list(tokens.items()), merges, list(special_tokens), [], pattern, 1 << 20)


def test_worked_example():
    """Derived by hand from the assignment's example."""
    assert make_encoder().encode("the cat ate", "encode") == [9, 7, 1, 5, 10, 3]


def test_every_way_in_gives_the_same_ids():
    """Identity: lists, arrays, bytes, batches and streams are one encoder."""
    encoder, text = make_encoder(), "the cat<|end|> ate"
    ids = encoder.encode(text, "encode")
    assert ids == [9, 7, 1, 5, 4_000_000_000, 10, 3]
    for array in (encoder.encode_to_numpy(text, "encode"), encoder.encode_to_numpy(text.encode(), "encode")):
        assert array.dtype == np.uint32
        assert array.tolist() == ids
    assert [array.tolist() for array in encoder.encode_batch([text, "", text], "encode", 2)] == [ids, [], ids]
    stream = encoder.stream("encode")
    for _ in range(2):
        pieces = [*(stream.push(character) for character in text), stream.finish()]
        assert np.concatenate(pieces).tolist() == ids


def test_lists_own_their_integers():
    """Oracle: the reference counts of one id's object, which is as old as the encoder, before and after lists of it."""
    tokens = {id: bytes([97 + id % 26, 97 + id // 26]) for id in range(300)} | {
        1000 + byte: b"%c" % byte for byte in range(97, 123)
    }
    merges = [(token[:1], token[1:]) for id, token in tokens.items() if id < 300]
    encoder = make_encoder(tokens, merges)
    (old,) = encoder.encode("zk", "text")
    assert old == 285
    before = sys.getrefcount(old)
    lists = [encoder.encode("zk" * 200 + "<|end|>", "encode") for _ in range(100)]
    assert lists[0] == lists[-1]
    assert lists[0].count(old) == 200
    assert lists[0][-1] == END[1]
    assert sys.getrefcount(old) == before + 200 * 100
    del lists
    assert sys.getrefcount(old) == before


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_decode_takes_every_integer_type(dtype):
    ids = np.array([9, 7, 1, 5, 10, 3], dtype)
    assert make_encoder().decode_bytes(ids) == b"the cat ate"
    assert make_encoder().decode_bytes(ids[::-2]) == b"et c"


def test_decode_takes_sequences():
    encoder = make_encoder()
    assert encoder.decode_bytes([]) == b""
    assert encoder.decode_bytes(np.array([])) == b""
    assert encoder.decode_bytes((9, END[1])) == b"the<|end|>"
    with pytest.raises(TypeError, match="float64 on 1 axes"):
        encoder.decode_bytes(np.array([1.0]))
    with pytest.raises(TypeError, match="int64 on 2 axes"):
        encoder.decode_bytes(np.array([[1]]))


@pytest.mark.parametrize(
    ("ids", "id_", "position"),
    [([9, 11], 11, 1), ([9, 9, -1], -1, 2), ([2**40], 2**40, 0), ([12, -1], 12, 0), (np.array([0, -7]), -7, 1)],
)
def test_an_id_outside_the_vocabulary_is_named(ids, id_, position):
    with pytest.raises(DataError, match=rf"id {id_} at position {position} .* 12 tokens.*largest id is 4000000000"):
        make_encoder().decode_bytes(ids)


def test_special_tokens_follow_the_policy():
    encoder = make_encoder(tokens={**TOKENS, **{20 + byte: bytes([byte]) for byte in b"<|end>"}}, merges=[])
    assert encoder.encode("a<|end|>", "encode") == [1, END[1]]
    assert encoder.encode("a<|end|>", "text") == [1, *(20 + byte for byte in b"<|end|>")]
    with pytest.raises(TokenizerError, match=r"'?\"<\|end\|>\" at byte 2 .* special=\"text\""):
        encoder.encode("aa<|end|>", "reject")
    with pytest.raises(ConfigError, match='"maybe"'):
        encoder.encode("a", "maybe")


def test_bad_vocabularies_are_refused():
    with pytest.raises(TokenizerError, match=r'merge 1 joins "a" and "t", but "at" is not'):
        make_encoder(merges=[(b"t", b"h"), (b"a", b"t")])
    with pytest.raises(TokenizerError, match=r"id 3 .* both"):
        _native.Encoder([(3, b"a"), (3, b"b")], [], [], [], _native.GPT2_PATTERN, 0)
    with pytest.raises(TokenizerError, match=r"token 3 .* empty"):
        _native.Encoder([(3, b"")], [], [], [], _native.GPT2_PATTERN, 0)
    with pytest.raises(ConfigError, match="given twice"):
        make_encoder(special_tokens=[("x", 50), ("x", 51)])
    with pytest.raises(ConfigError, match="cannot be used"):
        make_encoder(pattern="(")


def test_bad_texts_are_refused():
    encoder = make_encoder()
    with pytest.raises(TokenizerError, match="byte 0x62 at byte 4 "):
        encoder.encode("the b", "encode")
    with pytest.raises(TokenizerError, match="text 1: byte 0x62 at byte 0 "):
        encoder.encode_batch(["a", "b"], "encode", 2)
    with pytest.raises(DataError, match="byte 2 is not valid UTF-8"):
        encoder.encode_to_numpy(b"aa\xff", "encode")
    # The index of a lone surrogate stands in Python's own error.
    for call in (encoder.encode, encoder.encode_to_numpy, lambda text, special: encoder.stream(special).push(text)):
        with pytest.raises(UnicodeEncodeError) as caught:
            call("aa\ud800a", "encode")
        assert caught.value.start == 2


def test_threads_share_an_encoder():
    """Identity: more threads at once than the encoder keeps workers for."""
    encoder, text = make_encoder(), "the cat ate<|end|>" * 2000
    expected, results = encoder.encode(text, "encode"), []
    threads = [threading.Thread(target=lambda: results.append(encoder.encode(text, "encode"))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 24


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_an_encoder_survives_a_fork():
    """Threads of the parent are gone in the child, which must wait for none of them."""
    encoder, texts = make_encoder(), ["the cat ate" * 10_000] * 4
    expected = [array.tolist() for array in encoder.encode_batch(texts, "encode", 2)]
    child = os.fork()
    if child == 0:
        same = [array.tolist() for array in encoder.encode_batch(texts, "encode", 2)] == expected
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


INSTRUCTIONS = """
import subprocess
import sys
from homespun import _native
from homespun.errors import ConfigError
letters = [(bytes([byte]), byte) for byte in range(256)]
try:
    encoder = _native.Encoder([(id, token) for token, id in letters], [], [], [], _native.GPT2_PATTERN, 1 << 20)
    print(sum(encoder.encode("One pre-token after another, 3 \u00e9 \u4e2d. " * 9, "encode")))
except ConfigError as error:
    print(error)
"""


def test_instructions_can_be_limited():
    """Identity: no result depends on the environment variable, and a name it does not know is refused."""

    def run(value: str) -> str:
        environment = os.environ | {"HOMESPUN_INSTRUCTIONS": value}
        command = [sys.executable, "-c", INSTRUCTIONS]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    sums = {run(value) for value in ("portable", "avx2", "avx512")}
    assert len(sums) == 1
    assert sums.pop().strip().isdigit()
    message = run("sse9")
    assert "HOMESPUN_INSTRUCTIONS" in message
    assert '"sse9"' in message
