"""What temperature and top-p do to stories: repetition, diversity, and whether the storybook's grammar allows them.

Only here is the truth known: of every generated text the grammar says whether it is a story, and with how many bits. So
the model's excess over the entropy can be divided exactly. With p the grammar, q the model and s the share of q that
falls on stories,

    E_p[log2 p/q] = -log2 s + E_p[log2 p / (q / s)]

the first term is what the model wastes on texts that are no stories, the second how far its stories' odds are off.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import log, log2, sqrt
from typing import Any

import numpy as np

from homespun.corpus.reader import read_documents
from homespun.data.windows import Window, batch_windows
from homespun.errors import ConfigError
from homespun.evaluation.evaluate import score_batch
from homespun.experiments.diversity import CopyIndex, distinct_share, repeated_share, wilson_interval
from homespun.experiments.result import ExperimentResult, PublishedFigure, Scale, measure_time
from homespun.generation.generate import decode_batch
from homespun.generation.sampling import Sampling
from homespun.progress import ProgressCallback, ignore_progress
from homespun.runs.device import compute_threads
from homespun.runs.load import TrainedRun
from homespun.seeding import derive_seed
from homespun.storybook import Mismatch, Story, Storybook

_ROWS = 256
"""Stories generated together: on a Zen 5 core 32 rows give 2,700 tokens in a processor second, 128 give 4,400, 256 give
5,000 (1.3 million parameters, 2026-11-27, `homespun experiment sampling`)."""

_REFERENCE_SEED = 2**40 + 1
"""Of the stories drawn from the grammar itself: neither a training nor a validation set's."""


@dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """The grid, and how many stories each cell has."""

    temperatures: tuple[float, ...]
    top_ps: tuple[float, ...]
    num_stories: int


PLANS: dict[Scale, SamplingPlan] = {
    "smoke": SamplingPlan(temperatures=(0.0, 1.0), top_ps=(0.9, 1.0), num_stories=4),
    "cpu": SamplingPlan(
        temperatures=(0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2), top_ps=(0.8, 0.9, 0.95, 1.0), num_stories=256
    ),
    "gpu": SamplingPlan(
        temperatures=(0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2), top_ps=(0.8, 0.9, 0.95, 1.0), num_stories=8192
    ),
}


def run_sampling(
    scale: Scale,
    run: TrainedRun,
    *,
    num_stories: int | None = None,
    seed: int = 0,
    on_progress: ProgressCallback = ignore_progress,
) -> ExperimentResult:
    """Generate stories at every temperature and top-p with a run that was trained on the storybook.

    Args:
        scale: Chooses the grid and the number of stories.
        run: The trained run.
        num_stories: Of each cell; None: the scale's.
        seed: Of the draws.
        on_progress: Called with (stories done, stories in all).

    Raises:
        ConfigError: the run's text is not the storybook, so that no grammar says what is allowed.
    """
    if run.config.source.corpus != "storybook":
        raise ConfigError(
            f"{run.directory.root}: was trained on {run.config.source.corpus!r}; sampling needs a run on the storybook "
            "(such as that of `homespun demo`), whose grammar says which stories are allowed"
        )
    plan = PLANS[scale]
    count = num_stories or plan.num_stories
    settings = [
        # Greedy has one outcome, whatever top-p is.
        (temperature, top_p)
        for temperature in plan.temperatures
        for top_p in (plan.top_ps if temperature else (1.0,))
    ]
    total, done = sum(count if temperature else 1 for temperature, _ in settings), 0
    storybook, cells = Storybook(), []
    with measure_time() as elapsed:
        index = CopyIndex(read_documents(run.config.source.train))
        reference = [storybook.draw(number, seed=_REFERENCE_SEED) for number in range(count)]
        for temperature, top_p in settings:
            texts: list[str] = []
            for first in range(0, count if temperature else 1, _ROWS):
                rows = range(first, min(first + _ROWS, count if temperature else 1))
                texts += _generate(run, Sampling(temperature=temperature, top_p=top_p), rows, seed)
                on_progress(done + len(texts), total)
            done += len(texts)
            cell = _measure_texts(texts, index) | _judge(run, storybook, texts)
            cells.append({"temperature": temperature, "top_p": top_p} | cell)
        truth = _measure_texts([story.text for story in reference], index)
        gap = _measure_gap(run, reference, next(cell for cell in cells if cell["temperature"] == cell["top_p"] == 1.0))
    figures = {"cells": cells, "grammars_own_stories": truth, "gap": gap}
    return ExperimentResult(
        name="sampling",
        question="How often is a generated story one that the grammar allows, and what do temperature and top-p "
        "change?",
        scale=scale,
        settings={
            "temperatures": [*plan.temperatures],
            "top_p": [*plan.top_ps],
            "stories_per_cell": count,
            "seed": seed,
            "model": {"recipe": run.config.name, "step": run.step, "device": run.device},
            "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        },
        figures=figures,
        published=_compare(cells),
        conclusions=_conclude(cells, truth, gap),
        elapsed=elapsed,
    )


def _generate(run: TrainedRun, sampling: Sampling, rows: range, seed: int) -> list[str]:
    """Return whole stories; a story's draws depend on its number alone, so that cells are paired."""
    with compute_threads(run.device, "float32"):
        return decode_batch(
            run.model,
            run.tokenizer,
            [""] * len(rows),
            run.config.model.context_length,
            sampling,
            seeds=[derive_seed(seed, f"story {row}") for row in rows],
            separator=run.config.source.separator,
            document_start=True,
        )


def _measure_texts(texts: Sequence[str], index: CopyIndex) -> dict[str, Any]:
    return {
        "stories": len(texts),
        "words": sum(len(text.split()) for text in texts) / len(texts),
        "repeated_4grams": sum(map(repeated_share, texts)) / len(texts),
        "distinct_3grams": distinct_share(texts),
        "distinct_stories": len(set(texts)),
        "copied_stories": sum(map(index.has_document, texts)),
        "copied_12grams": index.copied_share(texts),
    }


def _judge(run: TrainedRun, storybook: Storybook, texts: Sequence[str]) -> dict[str, Any]:
    """Which texts the grammar allows, with how many bits, and where the others leave it."""
    found = [storybook.follow(text) for text in texts]
    model_bits = score_bits(run, texts)
    allowed = [place for place, each in enumerate(found) if isinstance(each, Story)]
    broken = [(text, each) for text, each in zip(texts, found, strict=True) if isinstance(each, Mismatch)]
    grammar_bits = [each.bits for each in found if isinstance(each, Story)]
    right = sum(len(each.choices) if isinstance(each, Story) else each.num_choices for each in found)
    return {
        "allowed": asdict(wilson_interval(len(allowed), len(texts))) | {"stories": len(allowed)},
        # Up to the first mistake of each story: what follows it may be a mistake or not.
        "mistakes_per_choice": asdict(wilson_interval(len(broken), right + len(broken))),
        "choices": right + len(broken),
        "allowed_and_distinct": len({texts[place] for place in allowed}),
        "grammar_bits": _mean(grammar_bits),
        "model_bits_of_allowed": _mean(model_bits[place] for place in allowed),
        "model_bits": _mean(model_bits),
        "correct_share_of_the_others": _mean(each.offset / max(len(text), 1) for text, each in broken),
        "how_the_others_leave": dict(Counter(each.kind for _, each in broken).most_common()),
        "choices_they_leave_at": dict(Counter(each.name for _, each in broken if each.name).most_common(8)),
        "example_of_the_others": _show_break(*broken[0]) if broken else None,
    }


def _show_break(text: str, mismatch: Mismatch) -> str:
    """Some words before and after the place, which is marked."""
    at = mismatch.offset
    return f"{text[max(0, at - 120) : at]} [>] {text[at : at + 60]}".replace("\n", " ")


def score_bits(run: TrainedRun, texts: Sequence[str]) -> list[float]:
    """Return -log2 q of each text and its closing separator, conditioned on one separator; longer ones are cut."""
    separator = run.tokenizer.token_to_id(run.config.source.separator)
    ids = run.tokenizer.encode_batch(texts, special="text")
    bits: list[float] = []
    with compute_threads(run.device, "float32"):
        for batch in batch_windows(_windows(ids, separator, run.config.model.context_length), _ROWS):
            nats_BT = score_batch(run.model, batch, next(run.model.parameters()).device)
            bits += (nats_BT.detach().cpu().double().sum(dim=1) / log(2)).tolist()
    return bits


def _windows(ids: Iterable[Any], separator: int, context_length: int) -> Iterator[Window]:
    for document in ids:
        whole = np.concatenate([[separator], document, [separator]]).astype(np.int64)
        yield Window(whole[:-1][:context_length], whole[1:][:context_length])


def _measure_gap(run: TrainedRun, reference: Sequence[Story], plain: dict[str, Any]) -> dict[str, Any]:
    """Return the model's excess on the grammar's own stories, and how much of it is probability of no story."""
    excess = np.array(score_bits(run, [story.text for story in reference])) - [story.bits for story in reference]
    share = plain["allowed"]
    return {
        "grammar_bits_per_story": _mean(story.bits for story in reference),
        "bytes_per_story": _mean(len(story.text) + len(run.config.source.separator) for story in reference),
        "excess_bits_per_story": float(excess.mean()),
        "excess_standard_error": float(excess.std(ddof=1) / sqrt(len(excess))),
        "allowed_share": share,
        "bits_wasted_on_others": -log2(share["share"]) if share["share"] else None,
    }


def _mean(values: Iterable[float]) -> float | None:
    found = [*values]
    return sum(found) / len(found) if found else None


def _compare(cells: Sequence[dict[str, Any]]) -> list[PublishedFigure]:
    used = [cell for cell in cells if (cell["temperature"], cell["top_p"]) == (0.7, 0.9)]
    return [
        PublishedFigure(
            what="temperature and top-p chosen for TinyStories: 0.7 and 0.9",
            source="write-up (one H100)",
            published="fluent",
            ours=f"{cell['allowed']['share']:.1%} of the stories are allowed",
            note="another corpus and a model a seventeenth of the size: theirs was judged by eye, ours by the grammar",
        )
        for cell in used
    ]


def _conclude(cells: Sequence[dict[str, Any]], truth: dict[str, Any], gap: dict[str, Any]) -> list[str]:
    def named(cell: dict[str, Any]) -> str:
        share = cell["allowed"]
        return (
            f"temperature {cell['temperature']:g}, top-p {cell['top_p']:g}: {share['share']:.1%} "
            f"({share['low']:.1%} to {share['high']:.1%})"
        )

    drawn = [cell for cell in cells if cell["temperature"]]
    plain = next(cell for cell in drawn if cell["temperature"] == cell["top_p"] == 1.0)
    best = max(drawn, key=lambda cell: cell["allowed"]["share"])
    worst = min(drawn, key=lambda cell: cell["allowed"]["share"])
    per_byte = gap["excess_bits_per_story"] / gap["bytes_per_story"]
    share = gap["allowed_share"]
    if share["share"]:
        waste = f"{-log2(share['share']):.1f} ({-log2(share['high']):.1f} to {-log2(share['low']):.1f}) of them are"
    else:
        waste = f"None of its stories is allowed, at most {share['high']:.1%} by the interval: at least "
        waste += f"{-log2(share['high']):.1f} of them are"
    sentences = [
        f"Drawn from the model as it is, the grammar allows {named(plain).split(': ')[1]} of the stories; most at "
        f"{named(best)}, least at {named(worst)}.",
        f"On the grammar's own stories the model needs {gap['excess_bits_per_story']:.1f} bits a story more than the "
        f"{gap['grammar_bits_per_story']:.1f} of the grammar ({per_byte:.4f} bits per byte). {waste} -log2 of the "
        "share that is allowed, probability spent on texts that are no stories; the rest is wrong odds among stories.",
        f"Diversity: {best['distinct_3grams']:.1%} of the word 3-grams are distinct where most is allowed, "
        f"{plain['distinct_3grams']:.1%} at temperature 1, {truth['distinct_3grams']:.1%} in as many stories of the "
        f"grammar; repeated 4-grams within a story: {best['repeated_4grams']:.1%}, {plain['repeated_4grams']:.1%}, "
        f"{truth['repeated_4grams']:.1%}.",
        f"{sum(cell['copied_stories'] for cell in drawn):,} of {sum(cell['stories'] for cell in drawn):,} stories are "
        f"in the training text word for word; of 12-grams at temperature 1 {plain['copied_12grams']:.1%} are, of the "
        f"grammar's own stories {truth['copied_12grams']:.1%}.",
    ]
    if plain["correct_share_of_the_others"] is not None:
        surest = min(drawn, key=lambda cell: cell["mistakes_per_choice"]["share"])
        how = ", ".join(f"{count} {kind}" for kind, count in plain["how_the_others_leave"].items())
        sentences.append(
            f"Up to the first mistake of a story there is one in {1 / plain['mistakes_per_choice']['share']:.0f} "
            f"choices at temperature 1 and one in {1 / surest['mistakes_per_choice']['share']:.0f} at temperature "
            f"{surest['temperature']:g}, top-p {surest['top_p']:g}, where it is rarest. At temperature 1 the others "
            f"are correct for {plain['correct_share_of_the_others']:.0%} of their length on average before it ({how})."
        )
    return sentences
