"""The samples of a run token by token, each with how much it surprised the model: `samples/step-000500.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

from homespun.errors import RunError
from homespun.files import write_text_atomically
from homespun.records import check_regular
from homespun.typed_json import build_from_json, parse_json


@dataclass(frozen=True, kw_only=True)
class TextSample:
    """What the model wrote after a prompt, token by token."""

    num_prompt_tokens: int
    """So many of the first tokens are the prompt."""
    tokens: list[str]
    """The text that each token adds: nothing where it ends inside a character, which the next one completes."""
    nats: list[float]
    """-ln of the probability that the model gave each token, given what precedes it, at temperature 1."""

    @property
    def text(self) -> str:
        """The prompt and what follows it."""
        return "".join(self.tokens)


def read_samples(path: Path) -> list[TextSample]:
    """Return the samples of a file; none where there is no file, as in a run of a version that did not write it.

    Raises:
        RunError: it does not hold samples.
    """
    if not path.exists():
        return []
    check_regular(path)
    try:
        samples: list[TextSample] = build_from_json(list[TextSample], parse_json(path.read_bytes()))
    except ValueError as error:
        raise RunError(f"{path}: not the tokens of samples ({error}); restore the file or delete it") from error
    for number, sample in enumerate(samples, 1):
        fits = sample.num_prompt_tokens <= len(sample.tokens) == len(sample.nats)
        if not (fits and all(isfinite(nats) and nats >= 0 for nats in sample.nats)):
            raise RunError(
                f"{path}: sample {number}: expected at least 0 nats for each of its {len(sample.tokens):,} tokens, "
                f"which begin with the prompt's {sample.num_prompt_tokens:,}; restore the file or delete it"
            )
    return samples


def write_samples(path: Path, samples: Sequence[TextSample]) -> None:
    """Write samples as a JSON file, atomically."""
    write_text_atomically(path, json.dumps([asdict(sample) for sample in samples]) + "\n")
