"""tokenizer.json files as others write them: the ids of Hugging Face's tokenizers, or a refusal."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homespun import _native
from homespun.data import TokenDataset, encode_corpus
from homespun.errors import TokenizerError
from homespun.tokenizer import Tokenizer
from homespun.tokenizer.storage.oniguruma import from_oniguruma, to_oniguruma
from refusals import refuses

CASES = Path(__file__).parent / "cases"
TEXTS = [
    "In 2024 the cat sat.",
    "hello<|im_end|>\nworld",
    "        return  x<think>",
    "123456",
    "a \U0001f469\u200d\U0001f4bb b",
]
# What tokenizers 0.23.3 gives for TEXTS: Tokenizer.from_file(path).encode(text, add_special_tokens=False).ids
IDS = {
    "split-isolated-gaps": [
        [268, 220, 263, 19, 295, 293, 294, 13],
        [259, 278, 283, 275, 269, 280, 267, 289, 277],
        [299, 284, 288, 290, 274, 281],
        [262, 18, 264, 21],
        [270, 260, 297, 296, 260, 298, 65],
    ],
    "gpt4-pattern-verbatim": [
        [269, 220, 263, 19, 294, 291, 293, 13],
        [299, 78, 267, 274, 270, 277, 286, 285, 275],
        [260, 298, 292, 284, 220, 289, 266, 273, 278, 29],
        [262, 264, 265],
        [64, 290, 296, 295, 259, 297, 288],
    ],
    "word-joiner": [
        [267, 220, 295, 220, 281, 220, 269, 220, 280, 13],
        [291, 78, 266, 297, 285, 198, 284, 273],
        [290, 298, 256, 87, 27, 299, 29],
        [294, 265],
        [64, 220, 292, 287, 293, 220, 65],
    ],
    "added-not-special": [
        [267, 289, 19, 293, 290, 292, 13],
        [298, 78, 266, 272, 62, 269, 67, 284, 198, 283, 273],
        [260, 297, 291, 282, 220, 287, 300],
        [262, 264, 265],
        [64, 288, 295, 294, 299, 286],
    ],
    "added-normalized-overlap": [
        [267, 289, 19, 293, 290, 292, 13],
        [298, 78, 300, 198, 283, 273],
        [260, 297, 291, 282, 220, 287, 27, 281, 275, 29],
        [262, 264, 265],
        [64, 288, 295, 294, 299, 286],
    ],
}


def load(name):
    return Tokenizer.load(CASES / f"{name}.tokenizer.json")


@pytest.mark.parametrize("name", IDS)
def test_ids_are_those_of_tokenizers(name, tmp_path):
    """Oracle: ids of tokenizers 0.23.3; also after the tokenizer was saved and loaded again."""
    tokenizer = load(name)
    assert [tokenizer.encode(text) for text in TEXTS] == IDS[name]
    assert [tokenizer.decode(ids) for ids in IDS[name]] == TEXTS
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert [again.encode(text) for text in TEXTS] == IDS[name]
    assert again.fingerprint == tokenizer.fingerprint


@pytest.mark.peers
@pytest.mark.parametrize("name", IDS)
@given(text=st.lists(st.sampled_from([*"aeht 12\n.'<|\u200d\u00e9\u4e2d", "<think>", "<|im_end|>"])).map("".join))
def test_ids_equal_tokenizers_on_random_text(name, text):
    """Oracle: tokenizers itself, given the same file."""
    theirs = pytest.importorskip("tokenizers").Tokenizer.from_file(str(CASES / f"{name}.tokenizer.json"))
    assert load(name).encode(text) == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("special", ["encode", "text", "reject"])
def test_an_added_token_that_is_not_special_has_its_id_everywhere(special):
    """Oracle: its id; whatever special tokens become, in a stream, with offsets, in a batch and on threads."""
    tokenizer = load("added-not-special")
    assert (tokenizer.special_tokens, tokenizer.added_tokens) == ({}, {"<think>": 300})
    text = "a<think>b" * 3
    ids = tokenizer.encode(text, special)
    assert ids.count(300) == 3
    assert tokenizer.decode(ids) == text
    assert list(tokenizer.encode_iterable(text, special)) == ids
    assert tokenizer.encode_with_offsets(text, special)[0].tolist() == ids
    assert tokenizer.encode_batch([text], special)[0].tolist() == ids
    long = text * 60_000
    assert tokenizer.encode_to_numpy(long, special, num_threads=2).tolist() == ids * 60_000


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_an_added_token_that_is_not_special_has_its_id_in_data_sets(suffix, tmp_path):
    """Oracle: `encode` of each document."""
    values = json.loads((CASES / "added-not-special.tokenizer.json").read_text())
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    values["added_tokens"].append({"id": 301, "content": "<|endoftext|>"} | flags)
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    tokenizer = Tokenizer.load(tmp_path)
    document = "the cat <think> sat </think>" * 20
    text = f"{document}<|endoftext|>{document}" if suffix == ".txt" else json.dumps({"text": document})
    (tmp_path / f"text{suffix}").write_text(text)
    encode_corpus(tokenizer, tmp_path / f"text{suffix}", tmp_path / "tokens")
    dataset = TokenDataset.open(tmp_path / "tokens")
    ids = tokenizer.encode(document)
    assert ids.count(300) == 20
    assert dataset[: len(ids)].tolist() == ids


def test_the_flag_special_is_kept(tmp_path):
    """Oracle: the file that was read."""
    load("added-not-special").save(tmp_path)
    (added,) = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    assert (added["content"], added["id"], added["special"]) == ("<think>", 300, False)


ATOMS = [
    *(
        "a",
        "1",
        " ",
        r"\n",
        ".",
        r"\w",
        r"\W",
        r"\d",
        r"\s",
        r"\S",
        r"\p{L}",
        r"\P{L}",
        r"[^\s\p{L}]",
        r"[\w]",
        r"[^\w]",
    ),
    *("[[:alpha:]]", "[[:punct:]_]", "[a-b_]", "[^a]", "^", "$", r"\b", r"\B", r"\A", r"\z", "(?:a|b)", "(?i:s)"),
    *("(?=a)", "(?!b)", "(?<=a)", "(?<!1)", "(?>ab|a)", "(?m:.)", "(?s:.)", "(?:^b)", r"\x41", r"\-", r"[\W_]"),
]
QUANTIFIERS = [
    "",
    "",
    "",
    "*",
    "+",
    "?",
    "*?",
    "+?",
    "++",
    "*+",
    "?+",
    "{1,2}",
    "{2}",
    "{1,}",
    "{1,3}+",
    "{2}?",
    "{,2}",
]
BRANCH = st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(QUANTIFIERS)).map("".join), min_size=1, max_size=3)
REGEXES = st.lists(BRANCH.map("".join), min_size=1, max_size=3).map("|".join)
CHARACTERS = [*"aAbB1 2\n\t'.-_s\r$^", "\u200d", "\u200c", "\u00b2", "\u00e9", "\u4e2d", "\u017f", "\u0301"]


@pytest.mark.peers
@pytest.mark.parametrize("translate", [from_oniguruma, to_oniguruma])
@given(regex=REGEXES, text=st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=12))
def test_a_translated_pattern_splits_as_in_the_other_engine(translate, regex, text):
    """Oracle: tokenizers' Split, which runs Oniguruma; what either engine does not take is passed over."""
    tokenizers = pytest.importorskip("tokenizers")
    try:
        translated = translate(regex)
        ours, theirs = (translated, regex) if translate is from_oniguruma else (regex, translated)
        pieces = _native.split(text, ours)
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(theirs), "isolated")
    except Exception:
        return
    assert pieces == [piece for piece, _ in split.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("regex", "construct"),
    [
        (r"(?~ab)", "(?~"),
        (r"a(?i)b|c", "(?i)"),
        (r"(?s:.)", "(?s:"),
        (r"\R", r"\R"),
        (r"(a)\1", r"\1"),
        (r"a**", "*"),
        (r"[a-z&&[^b]]", "&&"),
        (r"\p{Graph}", r"\p{Graph}"),
        (r"[[:graph:]]", "[:graph:]"),
        (r"(?i:straße)", "st"),
        (r"\xE9", "xE9"),
        (r"a{", "{"),
        (r"(?#note)a", "(?#"),
        (r"\K", r"\K"),
    ],
)
def test_a_construct_of_uncertain_meaning_is_refused(regex, construct):
    """Oracle: the construct in the message."""
    with refuses(TokenizerError, repr(construct)):
        from_oniguruma(regex)
