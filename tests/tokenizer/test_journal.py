"""The journal of a training: what it keeps, what it cuts off, what it refuses."""

import hashlib
import re
import zlib

import pytest

from homespun import _native
from homespun.errors import ConfigError, DataError, StorageError, TokenizerError
from homespun.tokenizer import Tokenizer, train_bpe, train_bpe_from_counts
from homespun.tokenizer.journal import fingerprint_of_counts

COUNTS = {b"low": 5, b"lower": 2, b"widest": 3, b"newest": 6}
END = "<|endoftext|>"


@pytest.fixture
def journal(tmp_path):
    """Of six merges."""
    path = tmp_path / "merges.journal"
    train_bpe_from_counts(COUNTS, 263, [END], journal=path)
    return path


def test_the_format_to_the_byte(journal):
    """Oracle: docs/design/formats.md, carried out by hand."""
    header, first, second, *rest = journal.read_bytes().splitlines(keepends=True)
    pattern = rb'\{"counts_sha256":"([0-9a-f]{64})","extends":null,"format":"homespun.merges",'
    pattern += rb'"special_tokens":\["<\|endoftext\|>"\],"ties":"bytes","version":1\}\n'
    assert re.fullmatch(pattern, header)
    assert first == b"73 74 %08x\n" % zlib.crc32(header + b"73 74 ")
    assert second == b"65 7374 %08x\n" % zlib.crc32(header + b"73 74 65 7374 ")
    assert len(rest) == 4


def test_the_fingerprint_of_counts_is_golden():
    """Oracle: Python's hashlib over the bytes that docs/design/formats.md describes."""
    content = b"".join(
        len(word).to_bytes(8, "little") + word + count.to_bytes(8, "little") for word, count in sorted(COUNTS.items())
    )
    assert fingerprint_of_counts(_native.PretokenCounts(COUNTS.items())) == hashlib.sha256(content).hexdigest()


def test_a_journal_cut_anywhere_leads_to_the_same(journal):
    """Oracle: training at once. Nothing else than a whole line is believed, zeros and another's line included."""
    whole = train_bpe_from_counts(COUNTS, 265, [END])
    content = journal.read_bytes()
    begin = content.index(b"\n") + 1
    tails = [content[begin:end] for end in range(begin, len(content) + 1)]
    tails += [tail + b"\0" * 30 for tail in tails[::7]]
    tails += [content[begin:] + b"61 62 00000000\n", content[begin:] + content[begin : begin + 15]]
    for tail in tails:
        journal.write_bytes(content[:begin] + tail)
        assert train_bpe_from_counts(COUNTS, 265, [END], journal=journal) == whole
        assert journal.read_bytes().startswith(content)
        assert journal.read_bytes().count(b"\n") == 9


def test_a_smaller_vocabulary_takes_the_first_merges(journal):
    """Oracle: training at once; the journal keeps what it has."""
    content = journal.read_bytes()
    assert train_bpe_from_counts(COUNTS, 260, [END], journal=journal) == train_bpe_from_counts(COUNTS, 260, [END])
    assert journal.read_bytes() == content


def test_merges_that_are_recorded_are_not_made_again(journal, monkeypatch):
    """Oracle: the known merges that the trainer is given."""
    given = []
    trainer = _native.MergeTrainer

    def record(counts, known, *rest):
        given.append(list(known))
        return trainer(counts, known, *rest)

    monkeypatch.setattr(_native, "MergeTrainer", record)
    _, merges = train_bpe_from_counts(COUNTS, 265, [END], journal=journal)
    assert given == [merges[:6]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"counts": COUNTS | {b"low": 6}}, r"other counts, as of another text or pattern \(sha256 [0-9a-f]{64}\)"),
        ({"special_tokens": ["<end>"]}, r"other special tokens, \['<\|endoftext\|>'\]"),
        ({"ties": "ids"}, "another rule for ties, bytes"),
        (
            {"extend": Tokenizer(*train_bpe_from_counts(COUNTS, 258, [END]), [END])},
            r"another tokenizer to extend \(None\)",
        ),
    ],
    ids=["counts", "special tokens", "ties", "extend"],
)
def test_the_journal_of_another_training_is_refused(changed, message, journal):
    """Oracle: what differs, in the message; the journal stays as it is."""
    content = journal.read_bytes()
    arguments = {"counts": COUNTS, "vocab_size": 265, "special_tokens": [END]} | changed
    with pytest.raises(DataError, match=rf"merges\.journal: the journal of a training with {message}.*remove this one"):
        train_bpe_from_counts(**arguments, journal=journal)
    assert journal.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"once upon a time\n", "expected a journal of merges"),
        (b"", "expected a journal of merges"),
        (b"[1]", "expected a journal of merges"),
        (b'{"format":"homespun.merges","version":2}\n', "a journal of version 2, expected 1"),
    ],
    ids=["text", "nothing", "a list", "later version"],
)
def test_another_file_is_refused(content, message, tmp_path):
    """Oracle: its name in the message; the file stays as it is."""
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"other\.txt.*{message}"):
        train_bpe_from_counts(COUNTS, 265, [END], journal=path)
    assert path.read_bytes() == content


def test_a_journal_that_cannot_be_written_is_refused(tmp_path):
    """Oracle: its name in the message."""
    with pytest.raises(StorageError, match="nowhere"):
        train_bpe_from_counts(COUNTS, 265, [END], journal=tmp_path / "nowhere" / "merges.journal")


def test_ids_stay_where_a_tokenizer_of_another_order_is_extended():
    """Oracle: derived by hand. The bytes stand in reverse, a special token last, and an id is missing."""
    vocab = {255 - byte: bytes([byte]) for byte in range(256)} | {256: b"st", 300: END.encode()}
    old = Tokenizer(vocab, [(b"s", b"t")], [END])
    grown, merges = train_bpe_from_counts(COUNTS, 303, [END], extend=old)
    assert {id_: grown[id_] for id_ in vocab} == vocab
    assert {id_: token for id_, token in grown.items() if id_ not in vocab} == {301: b"est", 302: b"ow"}
    assert merges == [(b"s", b"t"), (b"e", b"st"), (b"o", b"w")]


def test_what_cannot_be_extended_is_refused(tmp_path):
    """Oracle: what differs, in the message."""
    old = Tokenizer(*train_bpe_from_counts(COUNTS, 260, [END]), [END])
    with pytest.raises(ConfigError, match="vocab_size = 259 is less than the 260 tokens of the tokenizer to extend"):
        train_bpe_from_counts(COUNTS, 259, [END], extend=old)
    with pytest.raises(ConfigError, match=r"special_tokens = \[\] are not those of the tokenizer to extend"):
        train_bpe_from_counts(COUNTS, 300, [], extend=old)
    with pytest.raises(TokenizerError, match="no token for the byte 0x00"):
        train_bpe_from_counts(COUNTS, 300, [], extend=Tokenizer({0: b"a", 1: b"b"}, []))
    path = tmp_path / "text.txt"
    path.write_text("low")
    with pytest.raises(ConfigError, match="pattern = 'gpt4' is not that of the tokenizer to extend"):
        train_bpe(path, 300, [END], pattern="gpt4", extend=old)
