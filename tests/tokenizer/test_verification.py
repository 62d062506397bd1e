"""Comparisons of a tokenizer with oracles, on tokenizers of which some are wrong on purpose."""

import pytest

from homespun.tokenizer import Tokenizer, reference, train_bpe
from homespun.tokenizer.patterns import name_of_pattern
from homespun.tokenizer.reference_splitting import SPLITS
from homespun.tokenizer.sample import Excerpt
from homespun.tokenizer.verification import (
    check_decoding,
    check_streaming,
    check_threads,
    check_training,
    compare_ids,
    compare_merges,
    reference_encoder,
)

END = "<|endoftext|>"
TEXT = "the cat's hat, the hens' 1234 caf\u00e9s\n\n  and THE end.\t" * 20
EXCERPTS = [Excerpt("a.txt: document 1", TEXT), Excerpt("a.txt: document 2", f"the {END} cat \U0001f600")]
TEXTS = [excerpt.text for excerpt in EXCERPTS]


@pytest.fixture(scope="module", params=list(SPLITS))
def tokenizer(request, tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    vocab, merges = train_bpe(path, 300, [END], pattern=request.param)
    return Tokenizer(vocab, merges, [END], pattern=request.param)


@pytest.fixture
def pretokenize(tokenizer):
    return SPLITS[name_of_pattern(tokenizer.pattern)]


def test_the_bearable_reference_is_the_reference(tokenizer, pretokenize):
    """Oracle: the reference with every merge tried on every pre-token."""
    ids = {token: id_ for id_, token in tokenizer.vocab.items()}
    for excerpt in EXCERPTS:
        expected = reference.encode(excerpt.text, ids, tokenizer.merges, tokenizer.special_tokens, pretokenize)
        assert reference_encoder(tokenizer, pretokenize)(excerpt.text) == expected


def test_what_agrees_is_said_to(tokenizer, pretokenize):
    findings = [
        compare_ids(tokenizer, EXCERPTS, map(reference_encoder(tokenizer, pretokenize), TEXTS), "reference"),
        *check_training(tokenizer, EXCERPTS, pretokenize),
        check_decoding(tokenizer, EXCERPTS),
        check_streaming(tokenizer, EXCERPTS),
        check_threads(tokenizer, EXCERPTS),
    ]
    assert {finding.outcome for finding in findings} == {"agrees"}
    assert all(finding.extent and not finding.note for finding in findings)


def test_a_planted_peer_is_caught_at_its_place(tokenizer):
    """By hand: the peer gives the special token's id, 0, where there is none, and loses the last id of the second."""

    def wrong(text: str) -> list[int]:
        ids = tokenizer.encode(text)
        return ids[:-1] if END in text else [*ids[:5], 0, *ids[6:]]

    finding = compare_ids(tokenizer, EXCERPTS, map(wrong, TEXTS), "planted")
    assert finding.outcome == "differs"
    assert finding.note.startswith('a.txt: document 1: token 5, after b"the cat')
    assert finding.note.endswith(f"theirs 0 ({END.encode()!r})")
    finding = compare_ids(tokenizer, EXCERPTS[1:], map(wrong, TEXTS[1:]), "planted")
    assert finding.note.startswith("a.txt: document 2: token ")
    assert finding.note.endswith("theirs none (the end)")


def test_planted_merges_are_caught_at_their_place(tokenizer):
    merges = tokenizer.merges
    swapped = [*merges[:3], merges[4], merges[3], *merges[5:]]
    assert compare_merges(merges, merges, "itself").outcome == "agrees"
    assert compare_merges(merges, swapped, "planted").note.startswith("merge 4: ours b")
    assert compare_merges(merges, merges[:-1], "planted").note.endswith("theirs none")


class Broken(Tokenizer):
    """A tokenizer whose ways to encode and decode disagree: it forgets the last byte of what it decodes."""

    def encode_iterable(self, iterable, special="encode"):
        return iter([*super().encode_iterable(iterable, special)][:-1])

    def encode_batch(self, texts, special="encode", *, num_threads=None):
        return [ids[: len(ids) - (num_threads or 1) + 1] for ids in super().encode_batch(texts, special)]

    def decode_bytes(self, ids):
        return super().decode_bytes(ids)[:-1]


def test_a_planted_tokenizer_is_caught(tokenizer):
    broken = Broken(tokenizer.vocab, tokenizer.merges, [END], pattern=tokenizer.pattern)
    findings = [
        check_decoding(broken, EXCERPTS),
        check_streaming(broken, EXCERPTS),
        check_threads(broken, EXCERPTS),
    ]
    assert [finding.outcome for finding in findings] == ["differs"] * 3
    assert "document 1: byte" in findings[0].note
    assert findings[1].note.startswith("in chunks of size 1: token ")
    assert "theirs none" in findings[2].note
