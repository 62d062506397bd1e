"""TinyStories next to English as text: vocabulary, compression, and the entropy of single tokens and of pairs."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from homespun.data.encode import encode_to_memory
from homespun.errors import ConfigError
from homespun.experiments.result import ExperimentResult, PublishedFigure, Scale, measure_time
from homespun.experiments.texts import Corpus, count_tokens, train_tokenizer
from homespun.tokenizer.tokenizer import Tokenizer

_VOCAB_SIZE: dict[Scale, int] = {"smoke": 300, "cpu": 10_000, "gpu": 10_000}
_SAMPLE_BYTES: dict[Scale, int] = {"smoke": 1 << 16, "cpu": 10_000_000, "gpu": 2_000_000_000}
"""Text of each corpus that is compared: the same amount of each, since estimates depend on it."""

Ids = npt.NDArray[np.integer]


def run_corpora(scale: Scale, corpora: Sequence[Corpus]) -> ExperimentResult:
    """Compare the corpora as the model sees them, with a tokenizer of each and equal vocabularies.

    Raises:
        ConfigError: a corpus has no text to train on.
    """
    for corpus in corpora:
        if corpus.train is None:
            raise ConfigError(f"corpus {corpus.name}: give a text to train its tokenizer on as well")
    vocab_size = _VOCAB_SIZE[scale]
    with measure_time() as elapsed:
        tokenizers = {
            corpus.name: train_tokenizer(corpus.train, vocab_size).tokenizer for corpus in corpora if corpus.train
        }
        rows = [_describe(corpus, tokenizers, _SAMPLE_BYTES[scale]) for corpus in corpora]
        overlaps = [_overlap(one, other, tokenizers) for one, other in combinations(tokenizers, 2)]
    figures = {"corpora": rows, "vocabulary_overlap": overlaps}
    return ExperimentResult(
        name="corpora",
        question="How do TinyStories and English text differ before any model is trained: vocabulary, compression, "
        "and how predictable is a token from none or one before it?",
        scale=scale,
        settings={
            "vocab_size": vocab_size,
            "sample_bytes": _SAMPLE_BYTES[scale],
            "pattern": "gpt2",
            "bigram": "interpolated with the unigram by Witten and Bell's rule; unigram with one added to every count",
        },
        figures=figures,
        published=_compare(rows),
        conclusions=_conclude(rows, overlaps),
        elapsed=elapsed,
    )


def _describe(corpus: Corpus, tokenizers: dict[str, Tokenizer], sample_bytes: int) -> dict[str, Any]:
    assert corpus.train is not None
    with corpus.train.open("rb") as file:
        # The start of a corpus may be one book: half of the sample would be.
        sample = _spread(file.read(), sample_bytes)
    valid = corpus.valid.read_bytes()
    own = tokenizers[corpus.name]
    train_ids, valid_ids = own.encode_to_numpy(sample), own.encode_to_numpy(valid)
    bytes_per_token = len(valid) / len(valid_ids)
    unigram = unigram_nats(train_ids, valid_ids, own.vocab_size)
    bigram = bigram_nats(train_ids, valid_ids, own.vocab_size)
    encoded = encode_to_memory(own, corpus.train)
    lengths = count_tokens(own, corpus.documents)
    words = Counter(sample.split())
    return {
        **corpus.describe(),
        "tokens_per_document": {
            "median": float(np.median(lengths)),
            "percentiles_5_95": [float(value) for value in np.percentile(lengths, [5, 95])],
        },
        "bytes_per_token": {
            name: len(valid) / len(tokenizer.encode_to_numpy(valid)) for name, tokenizer in tokenizers.items()
        },
        "distinct_words_in_sample": len(words),
        "words_seen_once_share": sum(count == 1 for count in words.values()) / len(words),
        "tokens_used_in_sample": len(np.unique(train_ids)),
        "unigram": _in_units(unigram, bytes_per_token),
        "bigram": _in_units(bigram, bytes_per_token),
        "encoded": {
            "dtype": str(encoded.dtype),
            "tokens": len(encoded),
            "bytes": int(encoded.nbytes),
            "bytes_as_uint32": 4 * len(encoded),
            "share_of_text": encoded.nbytes / corpus.train.stat().st_size,
            "largest_id": int(encoded.max()),
        },
    }


def _spread(text: bytes, num_bytes: int, num_places: int = 64) -> bytes:
    """Return `num_bytes` of `text`, in pieces from all over it that begin and end at line ends."""
    if len(text) <= num_bytes:
        return text
    pieces = []
    for place in range(num_places):
        begin = len(text) * place // num_places
        line = text.find(b"\n", begin) + 1 or begin
        end = text.find(b"\n", line + num_bytes // num_places)
        pieces.append(text[line : end + 1 or len(text)])
    return b"".join(pieces)


def _in_units(nats: float, bytes_per_token: float) -> dict[str, float]:
    return {"nats_per_token": nats, "bits_per_byte": float(nats / np.log(2) / bytes_per_token)}


def unigram_nats(train: Ids, valid: Ids, vocab_size: int) -> float:
    """Return the cross-entropy of `valid` under the frequencies of tokens in `train`, with one added to each."""
    return float(-np.log(_unigram(train, vocab_size))[valid].mean())


def bigram_nats(train: Ids, valid: Ids, vocab_size: int) -> float:
    """Return the cross-entropy of each token of `valid` but the first, given the one before it.

        p(w | c) = (count(c, w) + followers(c) p(w)) / (count(c) + followers(c))

    where followers(c) is the number of distinct tokens seen after c, and p(w) the unigram's.

    Source: Witten & Bell 1991, IEEE Transactions on Information Theory 37(4), method C.
    """
    unigram = _unigram(train, vocab_size)
    pairs, pair_counts = np.unique(_pairs(train, vocab_size), return_counts=True)
    firsts = pairs // vocab_size
    followers = np.bincount(firsts, minlength=vocab_size)
    totals = np.bincount(firsts, weights=pair_counts, minlength=vocab_size)
    asked = _pairs(valid, vocab_size)
    places = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
    seen = np.where(pairs[places] == asked, pair_counts[places], 0)
    context, word = asked // vocab_size, asked % vocab_size
    # A context never seen is followed by the unigram.
    weight = np.where(followers[context] == 0, 1, followers[context])
    return float(-np.log((seen + weight * unigram[word]) / (totals[context] + weight)).mean())


def _unigram(train: Ids, vocab_size: int) -> npt.NDArray[np.float64]:
    counts = np.bincount(train, minlength=vocab_size) + 1
    return counts / counts.sum()


def _pairs(ids: Ids, vocab_size: int) -> npt.NDArray[np.int64]:
    return ids[:-1].astype(np.int64) * vocab_size + ids[1:]


def _overlap(one: str, other: str, tokenizers: dict[str, Tokenizer]) -> dict[str, Any]:
    """Which tokens two vocabularies have in common, the bytes and the special tokens left out."""
    first, second = ({left + right for left, right in tokenizers[name].merges} for name in (one, other))
    common = first & second
    return {
        "between": [one, other],
        "tokens": [len(first), len(second)],
        "common": len(common),
        "share_of_first": len(common) / len(first),
        "jaccard": len(common) / len(first | second),
        "longest_common": max(common, key=lambda token: (len(token), token), default=b"").decode(errors="replace"),
    }


def _compare(rows: list[dict[str, Any]]) -> list[PublishedFigure]:
    return [
        PublishedFigure(
            what=f"bytes per token of {row['name']} text with its own tokenizer",
            source="write-up (one H100)",
            published=value,
            ours=row["bytes_per_token"][row["name"]],
            note="ours is trained on what was given"
            if row["name"] == "tinystories"
            else "theirs is OpenWebText with 32,000 tokens, ours another English text with as many as the other corpus",
        )
        for row in rows
        for name, value in (("tinystories", 4.01), ("english", 4.50))
        if row["name"] == name
    ]


def _conclude(rows: list[dict[str, Any]], overlaps: list[dict[str, Any]]) -> list[str]:
    sentences = [
        f"{row['name']}: {row['bytes_per_token'][row['name']]:.2f} bytes per token with its own vocabulary; a token "
        f"costs {row['unigram']['bits_per_byte']:.2f} bits per byte by its frequency and "
        f"{row['bigram']['bits_per_byte']:.2f} after the one before it "
        f"({row['unigram']['nats_per_token']:.2f} and {row['bigram']['nats_per_token']:.2f} nats per token); "
        f"{row['distinct_words_in_sample']:,} distinct words in the sample, {row['words_seen_once_share']:.0%} of them "
        f"seen once; {row['encoded']['bytes'] / 1e6:.1f} MB as {row['encoded']['dtype']}, "
        f"{row['encoded']['share_of_text']:.0%} of the text."
        for row in rows
    ]
    sentences += [
        f"{each['common']:,} of {each['tokens'][0]:,} merged tokens are in both vocabularies "
        f"({each['between'][0]}, {each['between'][1]})."
        for each in overlaps
    ]
    easiest = min(rows, key=lambda row: row["bigram"]["bits_per_byte"])
    hardest = max(rows, key=lambda row: row["bigram"]["bits_per_byte"])
    ratio = hardest["bigram"]["bits_per_byte"] / easiest["bigram"]["bits_per_byte"]
    sentences.append(
        f"Before any training, {hardest['name']} text holds {ratio:.2f} times the bits per byte of {easiest['name']}: "
        "a higher loss of the same model on it says as much about the text as about the model."
    )
    return sentences
