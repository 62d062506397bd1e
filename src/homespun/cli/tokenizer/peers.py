"""Comparisons of a tokenizer with the reference and with other people's tokenizers.

The only file of the package that imports other tokenizers: they are independent oracles.
"""

import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from homespun.cli.progress import progress_bar
from homespun.corpus.inputs import InputFile
from homespun.errors import MissingPackageError, TokenizerError
from homespun.tokenizer.config import NUM_BYTES
from homespun.tokenizer.counting.options import CountOptions
from homespun.tokenizer.patterns import name_of_pattern
from homespun.tokenizer.reference import Pretokenize
from homespun.tokenizer.reference_splitting import SPLITS, split_at_matches
from homespun.tokenizer.sample import Excerpt
from homespun.tokenizer.tokenizer import Tokenizer
from homespun.tokenizer.train import train_bpe
from homespun.tokenizer.verification import (
    Finding,
    NotComparableError,
    check_decoding,
    check_streaming,
    check_threads,
    check_training,
    compare_ids,
    compare_merges,
    reference_encoder,
)


def compare_on_sample(tokenizer: Tokenizer, directory: Path, sample: list[Excerpt]) -> Iterator[Finding]:
    """Every comparison that can be made on the sample, and why the others cannot."""
    # Each excerpt is followed by a special token, so that each special token is tested.
    names = cycle(tokenizer.special_tokens or [""])
    marked = [Excerpt(excerpt.where, excerpt.text + name) for excerpt, name in zip(sample, names, strict=False)]
    yield from _or_skipped(["ids"], "tiktoken", compare_with_tiktoken(tokenizer, marked))
    yield from _or_skipped(["ids"], "tokenizers", compare_with_tokenizers(tokenizer, directory, marked))
    yield from _or_skipped(["ids", "merges"], "reference", compare_with_reference(tokenizer, marked))
    yield check_decoding(tokenizer, marked)
    yield check_streaming(tokenizer, marked)
    yield check_threads(tokenizer, marked)


def _or_skipped(checks: list[str], against: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
        return
    except NotComparableError as error:
        note = str(error)
    except ImportError as error:
        note = str(MissingPackageError.for_import(error, "this comparison") or error)
    for check in checks:
        yield Finding(check=check, against=against, outcome="skipped", note=note)


def train_again(tokenizer: Tokenizer, files: list[InputFile], text_key: str) -> Finding:
    """Whether training on the files, which are what it was trained on, gives the tokenizer's merges."""
    special_tokens = list(tokenizer.special_tokens)
    with progress_bar("training again", "steps") as on_progress:
        _, merges = train_bpe(
            files,
            NUM_BYTES + len(special_tokens) + len(tokenizer.merges),
            special_tokens,
            pattern=tokenizer.pattern,
            options=CountOptions(text_key=text_key),
            on_progress=on_progress,
        )
    return compare_merges(tokenizer.merges, merges, "training again")


def compare_with_tiktoken(tokenizer: Tokenizer, excerpts: list[Excerpt]) -> Iterator[Finding]:
    """Our ids against those of tiktoken, given our vocabulary."""
    import tiktoken

    # tiktoken has ranks instead of merges: a token's rank is its position in this list, which may differ from its id.
    tokens = [bytes([byte]) for byte in range(NUM_BYTES)]
    tokens += dict.fromkeys(left + right for left, right in tokenizer.merges)
    if missing := set(tokens) - set(tokenizer.vocab.values()):
        raise NotComparableError(f"it needs all 256 bytes in the vocabulary, which lacks {len(missing)}")
    specials = list(tokenizer.special_tokens)
    if nested := next(((a, b) for a in specials for b in specials if a != b and a in b), None):
        raise NotComparableError(
            f"it does not define which of nested special tokens it finds, and {nested[0]!r} is within {nested[1]!r}"
        )
    if tokenizer.added_tokens:
        raise NotComparableError("it has no added tokens that are not special")
    ids = [*map(tokenizer.token_to_id, tokens), *tokenizer.special_tokens.values()]
    try:
        theirs = tiktoken.Encoding(
            "ours",
            pat_str=tokenizer.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
            special_tokens={name: len(tokens) + number for number, name in enumerate(specials)},
        )
    # It has no class of errors of its own.
    except Exception as error:
        raise NotComparableError(f"it cannot run this pattern ({_one_line(error)})") from error
    name = f"tiktoken {tiktoken.__version__}"
    encoded = ([ids[rank] for rank in theirs.encode(e.text, allowed_special="all")] for e in excerpts)
    yield compare_ids(tokenizer, excerpts, encoded, name)
    encoded = ([ids[rank] for rank in theirs.encode_ordinary(e.text)] for e in excerpts)
    yield compare_ids(tokenizer, excerpts, encoded, name, check="ids, special tokens as text", special="text")


def compare_with_tokenizers(tokenizer: Tokenizer, directory: Path, excerpts: list[Excerpt]) -> Iterator[Finding]:
    """Our ids against those of tokenizers, which reads the same tokenizer.json, or the one we write."""
    import tokenizers

    with tempfile.TemporaryDirectory() as folder:
        path = directory / "tokenizer.json"
        try:
            if not path.exists():
                tokenizer.save(folder)
                path = Path(folder, "tokenizer.json")
            theirs = tokenizers.Tokenizer.from_file(str(path))
        except TokenizerError as error:
            raise NotComparableError(str(error)) from error
        # It raises bare Exceptions.
        except Exception as error:
            raise NotComparableError(f"it cannot read {path.name} ({_one_line(error)})") from error
    encoded = (theirs.encode(excerpt.text, add_special_tokens=False).ids for excerpt in excerpts)
    yield compare_ids(tokenizer, excerpts, encoded, f"tokenizers {tokenizers.__version__}")


def compare_with_reference(tokenizer: Tokenizer, excerpts: list[Excerpt]) -> Iterator[Finding]:
    """Our ids and merges against those of the reference."""
    pretokenize = _find_pretokenizer(tokenizer.pattern)
    encode = reference_encoder(tokenizer, pretokenize)
    yield compare_ids(tokenizer, excerpts, (encode(excerpt.text) for excerpt in excerpts), "reference")
    yield from check_training(tokenizer, excerpts, pretokenize)


def _find_pretokenizer(pattern: str) -> Pretokenize:
    """The reference's splitter for a named pattern; for a custom one, Python's `regex`."""
    if (name := name_of_pattern(pattern)) in SPLITS:
        return SPLITS[name]
    import regex

    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        raise NotComparableError(f"Python's regex cannot run this pattern ({_one_line(error)})") from error
    return lambda text: split_at_matches(text, (match.span() for match in compiled.finditer(text)))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
