"""Hugging Face's tokenizers, which loads our tokenizer.json unchanged and must give the same ids."""

import json
import random

import pytest
from tokenizers import AddedToken, models, pre_tokenizers
from tokenizers import Tokenizer as HuggingFaceTokenizer

from homespun.tokenizer import Tokenizer, train_bpe

pytestmark = pytest.mark.peers

END = "<|endoftext|>"
SPECIALS = [END, "<end of text>", "<|endoftext|><|endoftext|>", "\u00e9t\u00e9"]
PIECES = [
    *(
        "the",
        " the",
        "caf\u00e9",
        "'s",
        "'S",
        "'ll",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\xa0",
        "\u3000",
        "\x1c",
        "\x85",
    ),
    *(
        "1",
        "12345",
        "\u0662",
        "\xb2",
        "!",
        "...",
        "!?\n",
        "\u4e2d\u6587",
        "\U0001f600",
        "e\u0301",
        "\u200d",
        "\0",
        "a" * 50,
    ),
    *("<|endof", "text|>", "<|", "<end of ", *SPECIALS),
]


def random_texts(number: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices(PIECES, k=draw.randrange(12))) for _ in range(number)]


def ids_of(theirs: HuggingFaceTokenizer, text: str) -> list[int]:
    return theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "o200k", r"\p{L}+|[^\s\p{L}]+"])
def test_our_files_load_there_and_give_the_same_ids(pattern, shared_data, tmp_path):
    """Oracle: tokenizers. The free pattern matches no white space, which both then leave out."""
    corpus = shared_data / "assignment" / "corpus.en"
    vocab, merges = train_bpe(corpus, 1_000, SPECIALS, pattern=pattern)
    ours = Tokenizer(vocab, merges, SPECIALS, pattern=pattern)
    ours.save(tmp_path)
    theirs = HuggingFaceTokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.get_vocab_size() == ours.vocab_size
    for text in [corpus.read_text()[:20_000], *random_texts(1_000, seed=0)]:
        ids = ids_of(theirs, text)
        assert ours.encode(text) == ids, text
        # Their decoder takes a special token of printable bytes, as this one is, for bytes.
        if "\u00e9t\u00e9" not in text:
            assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_vocabulary_and_merges_files_load_there(shared_data, tmp_path):
    """Oracle: tokenizers' own reader of GPT-2's two files."""
    vocab, merges = train_bpe(shared_data / "assignment" / "corpus.en", 600, [END])
    ours = Tokenizer(vocab, merges, [END])
    ours.save(tmp_path)
    theirs = HuggingFaceTokenizer(models.BPE.from_file(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens([END])
    for text in random_texts(300, seed=1):
        assert ours.encode(text) == ids_of(theirs, text), text


@pytest.mark.parametrize("merges_as_lists", [True, False])
def test_their_files_load_here(merges_as_lists, shared_data, tmp_path):
    """Oracle: tokenizers, which writes merges as lists; older versions wrote them as lines."""
    folder = shared_data / "assignment"
    theirs = HuggingFaceTokenizer(
        models.BPE.from_file(str(folder / "gpt2_vocab.json"), str(folder / "gpt2_merges.txt"))
    )
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens([AddedToken(END, special=True), "<pad>"])
    path = tmp_path / "tokenizer.json"
    theirs.save(str(path))
    if not merges_as_lists:
        values = json.loads(path.read_text())
        values["model"]["merges"] = [" ".join(pair) for pair in values["model"]["merges"]]
        path.write_text(json.dumps(values))
    ours = Tokenizer.load(path)
    assert ours.special_tokens == {END: 50_256, "<pad>": 50_257}
    for text in random_texts(300, seed=2):
        assert ours.encode(text) == ids_of(theirs, text), text


def test_offsets_agree(shared_data):
    """Oracle: tokenizers' byte-level offsets, white space not trimmed off; parts of characters too."""
    folder = shared_data / "assignment"
    vocab, merges = str(folder / "gpt2_vocab.json"), str(folder / "gpt2_merges.txt")
    ours = Tokenizer.from_files(vocab, merges, [END])
    theirs = HuggingFaceTokenizer(models.BPE.from_file(vocab, merges))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    theirs.add_special_tokens([END])
    for text in random_texts(300, seed=4):
        ids, offsets = ours.encode_with_offsets(text)
        encoding = theirs.encode(text, add_special_tokens=False)
        assert encoding.ids == ids.tolist()
        assert encoding.offsets == [tuple(row) for row in offsets.tolist()], text
