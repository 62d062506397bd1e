"""What the figures of a report say, in sentences that are computed from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import stdev

import numpy as np

from homespun.reporting.curves import smooth
from homespun.reporting.figures import compact, count, fixed, grouped, listing, percent, significant
from homespun.reporting.groups import Group
from homespun.reporting.headline import best_of
from homespun.reporting.run import ReportedRun

_LEAST_RECORDS = 20
"""Fewer say nothing of trends."""
_VISIBLE_CHANGE = 0.002
"""Of the loss, over the last tenth of the run, against the tenth before."""
_OVERFITTING = 0.01
"""By what share the last validation loss exceeds the lowest, before the page calls it overfitting."""
_SPIKE = 8.0
"""Median absolute deviations above the local median that make a spike."""
_MAX_DESCRIBED = 8
"""More runs are counted rather than named."""
_MAX_NAMED = 4
"""Of more runs a sentence names only so many."""


@dataclass(frozen=True)
class Trend:
    """How the training loss moved at the end of a run."""

    before: float
    """Mean loss of the tenth before the last."""
    after: float
    """Mean loss of the last tenth."""
    noise: float
    """Standard error of their difference."""

    @property
    def share(self) -> float:
        return (self.before - self.after) / self.before


def conclude(runs: Sequence[ReportedRun], groups: Sequence[Group] = ()) -> list[str]:
    """Return the conclusions about `runs`, the most important first.

    Args:
        runs: At least one.
        groups: The same runs by what they have in common but the seed; empty: each is a group of its own.
    """
    groups = groups or [(run.name, [run]) for run in runs]
    sentences = [*_compare(groups)] if len(runs) > 1 else []
    best = best_of(runs)
    sentences += _judge_entropy(best, alone=len(runs) == 1) if best is not None else []
    judged = [_judge_end, _judge_overfitting, _judge_spikes]
    sentences += [sentence for judge in judged for sentence in judge(runs)]
    sentences += _judge_speed(runs)
    return sentences


def _compare(groups: Sequence[Group]) -> list[str]:
    """Compare the groups by the mean of their bits per byte."""
    means = []
    for name, members in groups:
        finals = [run.final_validation for run in members if run.final_validation is not None]
        bits = [final.bits_per_byte for final in finals if isfinite(final.bits_per_byte)]
        if bits:
            means.append((float(np.mean(bits)), name, bits))
    runs = [run for _, members in groups for run in members]
    sentences = []
    if len(means) > 1:
        (best, name, bits), (second, next_name, next_bits) = sorted(means)[:2]
        several, next_several = (
            f", the mean of {len(each)} seeds" if len(each) > 1 else "" for each in (bits, next_bits)
        )
        sentence = (
            f"{name} is the best of {len(means)}: {fixed(best)} bits per byte{several}; "
            f"{fixed(second - best)} below {next_name} ({fixed(second)}{next_several})."
        )
        if len(bits) > 1 and len(next_bits) > 1:
            overlap = "overlap" if max(bits) >= min(next_bits) else "do not overlap"
            sentence += f" Their seeds {overlap}: {_range(bits)} against {_range(next_bits)}."
        else:
            sentence += " One seed does not show whether that is more than chance."
        sentences.append(sentence)
    sentences += [
        f"{name} over {len(bits)} seeds: {fixed(mean)} bits per byte, standard deviation {significant(stdev(bits), 2)}."
        for mean, name, bits in means
        if len(means) == 1 and len(bits) > 1
    ]
    texts = {(run.final_validation.num_bytes, run.entropy) for run in runs if run.final_validation}
    if len(texts) > 1:
        sentences.append(
            "The runs were scored on different validation texts, so their figures do not compare directly."
        )
    tokens = sorted({run.last_tokens for run in runs})
    if tokens[-1] > 1.01 * tokens[0]:
        sentences.append(
            f"The runs saw different numbers of tokens, from {grouped(tokens[0])} to {grouped(tokens[-1])}; compare "
            "their curves at equal tokens, or over time for equal cost."
        )
    return sentences


def _range(values: Sequence[float]) -> str:
    return f"{fixed(min(values))} to {fixed(max(values))}"


def _judge_entropy(best: ReportedRun, *, alone: bool) -> list[str]:
    excess, entropy = best.excess_bits_per_byte, best.entropy
    if excess is None or entropy is None or not entropy.bits_per_byte > 0:
        return []
    whose = "The model" if alone else best.name
    total = percent(entropy.bits_per_byte / (entropy.bits_per_byte + excess)) if excess > 0 else None
    if total is None:
        return [
            f"{whose} scored {fixed(-excess)} bits per byte below the exact entropy of these documents, which chance "
            "allows on few documents only: check that none of them was trained on."
        ]
    return [
        f"{whose} is {fixed(excess)} bits per byte above the exact entropy: {total} of the bits it needs are in the "
        "text itself, the rest is what it has not learned."
    ]


def trend_of(run: ReportedRun) -> Trend | None:
    """Return how the loss of the last tenth of the records compares with the tenth before; None for few records."""
    losses = np.array([record.loss for record in run.train if abs(record.loss) < 1e30])
    tenth = len(losses) // 10
    if len(losses) < _LEAST_RECORDS:
        return None
    before, after = losses[-2 * tenth : -tenth], losses[-tenth:]
    noise = float(np.sqrt(before.var() / tenth + after.var() / tenth))
    return Trend(float(before.mean()), float(after.mean()), noise)


def _judge_end(runs: Sequence[ReportedRun]) -> list[str]:
    falling, rising, level = [], [], []
    for run in runs:
        trend = trend_of(run)
        if trend is None or trend.before <= 0:
            continue
        is_visible = abs(trend.before - trend.after) > 2 * trend.noise and abs(trend.share) > _VISIBLE_CHANGE
        group = level if not is_visible else falling if trend.share > 0 else rising
        group.append(f"{run.name} ({_change(trend.share)})" if len(runs) > 1 else _change(trend.share))
    sentences = []
    if len(runs) == 1:
        over = "over the last tenth of the run"
        sentences += [
            f"Training loss was still falling at the end, by {by} {over}: more steps would help." for by in falling
        ]
        sentences += [f"Training loss was rising at the end, by {by} {over}." for by in rising]
        sentences += [
            f"Training loss was level at the end: it changed by {by} {over}, within its noise." for by in level
        ]
        return sentences
    if len(runs) > _MAX_DESCRIBED:
        return [
            f"At the end, over the last tenth of the run, training loss was still falling in {len(falling)} of the "
            f"{len(runs)} runs, rising in {len(rising)} and level in {len(level)}."
        ]
    over = "(change over the last tenth of the run in parentheses)"
    if falling:
        sentences.append(
            f"Training loss was still falling at the end of {_some(falling)} {over}: more steps would help."
        )
    if rising:
        sentences.append(f"Training loss was rising at the end of {_some(rising)} {over}.")
    if level:
        sentences.append(f"Training loss was level at the end of {_some(level)} {over}.")
    return sentences


def _change(share: float) -> str:
    return percent(abs(share)) if abs(share) >= 1e-5 else "nothing"


def _some(names: list[str]) -> str:
    return listing(names if len(names) <= _MAX_NAMED else [*names[:_MAX_NAMED], f"{len(names) - _MAX_NAMED} more"])


def _judge_overfitting(runs: Sequence[ReportedRun]) -> list[str]:
    sentences = []
    for run in runs:
        scored = [record for record in run.validation if isfinite(record.loss)]
        heads = [record for record in scored if not record.whole] or scored
        if len(heads) < 3:
            continue
        best, last = min(heads, key=lambda record: record.loss), heads[-1]
        if last.loss > best.loss * (1 + _OVERFITTING):
            sentences.append(
                f"{_prefix(run, runs)}validation loss was lowest at step {best.step:,} ({fixed(best.loss)}) and "
                f"ended at {fixed(last.loss)}: the run overfits, and the best checkpoint is not the last."
            )
    return [_capital(sentence) for sentence in sentences[:_MAX_NAMED]]


def _prefix(run: ReportedRun, runs: Sequence[ReportedRun]) -> str:
    return f"{run.name}: " if len(runs) > 1 else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith(("validation", "training")) else text


def find_spikes(run: ReportedRun) -> list[int]:
    """Return the steps at which the training loss stood far above its surroundings; neighbours count once."""
    records = [record for record in run.train if abs(record.loss) < 1e30]
    if len(records) < _LEAST_RECORDS:
        return []
    losses = np.array([record.loss for record in records])
    difference = losses - smooth(losses)
    deviation = float(np.median(np.abs(difference - np.median(difference))))
    skipped = len(records) // 20  # The loss falls too fast at first for a moving mean.
    found: list[int] = []
    previous = -10
    for index in range(skipped, len(records)):
        if difference[index] > max(_SPIKE * deviation, 0.05 * losses[index]):
            if index - previous > 5:
                found.append(records[index].step)
            previous = index
    return found


def _judge_spikes(runs: Sequence[ReportedRun]) -> list[str]:
    sentences = []
    for run in runs:
        if spikes := find_spikes(run):
            steps = listing([f"{step:,}" for step in spikes[:5]]) + (" and later" if len(spikes) > 5 else "")
            which = "steps" if len(spikes) > 1 else "step"
            sentences.append(
                f"{_prefix(run, runs)}training loss has {count(len(spikes), 'spike')}, at {which} {steps}."
            )
    more = len(sentences) - _MAX_NAMED
    shown = [_capital(sentence) for sentence in sentences[:_MAX_NAMED]]
    return shown + ([f"{count(more, 'more run')} had spikes."] if more > 0 else [])


def _judge_speed(runs: Sequence[ReportedRun]) -> list[str]:
    rated = [(run.result.tokens_per_second, run) for run in runs if run.result and run.result.tokens_per_second > 0]
    if not rated:
        return []
    rated.sort(key=lambda pair: pair[0])
    (slow, slowest), (fast, fastest) = rated[0], rated[-1]
    if len(rated) == 1:
        shares = [record.mfu for record in fastest.train if 0 < record.mfu <= 1]
        used = f", {percent(float(np.mean(shares)))} of what the machine can do" if shares else ""
        return [f"Training ran at {compact(fast)} tokens a second{used}."]
    if fast < 1.02 * slow:
        return [f"All runs trained at {compact(fast)} tokens a second."]
    return [
        f"The fastest run was {fastest.name} with {compact(fast)} tokens a second, the slowest {slowest.name} with "
        f"{compact(slow)}."
    ]
