"""Samples, each token on a background that says how much it surprised the model that wrote it."""

from collections.abc import Iterator, Sequence
from math import isfinite, log

from homespun.reporting.figures import count, significant
from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.run import ReportedRun, ReportedSample
from homespun.samples import TextSample

_SHADES = (0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0)
"""Bits from which on a token has the next shade; below the first it has none."""
_LEGEND = ("under 0.25", "0.25", "0.5", "1", "2", "4", "6", "8 bits or more")
_MAX_STEPS = 12
_MAX_TOKENS = 4000
"""Of one run's samples; the older ones are left in their files."""


def render_samples(runs: Sequence[ReportedRun], *, limit: int, named: bool) -> Markup:
    """Return the samples of each run, the newest open; "" where there are none. Of more than `limit` the best runs'.

    `named`: each under its name.
    """
    with_samples = [run for run in runs if run.samples]
    left = len(with_samples) - limit
    if left > 0:
        with_samples.sort(key=lambda run: run.final_validation.bits_per_byte if run.final_validation else float("inf"))
        with_samples = with_samples[:limit]
    if not with_samples:
        return Markup("")
    colored = any(sample.tokens for run in with_samples for sample in run.samples)
    blocks = [_render_run(run, titled=named) for run in with_samples]
    note = f"Samples of the best {limit} runs; those of {left:,} others are in their directories."
    return join(_legend() if colored else None, *blocks, tag("p", note, class_="note") if left > 0 else None)


def _legend() -> Markup:
    shades = [tag("span", text, class_=f"t s{shade}") for shade, text in enumerate(_LEGEND)]
    return tag(
        "p",
        "How much each token surprised the model, in bits: 1 bit is a coin toss, 8 bits one of 256 equally likely. "
        "Point at a token for its figure. The prompt is set apart. ",
        tag("span", *shades, class_="shades"),
        class_="reading",
    )


def _render_run(run: ReportedRun, *, titled: bool) -> Markup:
    title = tag("h3", run.name) if titled else None
    newest, older = run.samples[-1], run.samples[-_MAX_STEPS:-1][::-1]
    budget = _MAX_TOKENS - _num_tokens(newest)
    folded = []
    for sample in older:
        budget -= _num_tokens(sample)
        if budget < 0:
            break
        folded.append(tag("details", tag("summary", f"step {sample.step:,}"), _render_sample(sample)))
    left = len(run.samples) - 1 - len(folded)
    more = tag("p", f"{count(left, 'older step')} not shown; the texts are in the run's samples folder.", class_="note")
    return tag(
        "div", title, tag("p", f"step {newest.step:,}", class_="eyebrow"), _render_sample(newest), *folded,
        more if left else None, class_="run-samples",
    )  # fmt: skip


def _render_sample(sample: ReportedSample) -> Markup:
    if not sample.tokens:
        return tag("blockquote", sample.text.strip())
    return tag("div", *(_render_tokens(text) for text in sample.tokens), class_="texts")


def _render_tokens(sample: TextSample) -> Markup:
    prompt = [*_merged(sample.tokens[: sample.num_prompt_tokens], sample.nats[: sample.num_prompt_tokens])]
    written = [*_merged(sample.tokens[sample.num_prompt_tokens :], sample.nats[sample.num_prompt_tokens :])]
    bits = sum(sample.nats[sample.num_prompt_tokens :]) / log(2)
    num_bytes = len("".join(sample.tokens[sample.num_prompt_tokens :]).encode(errors="replace"))
    figures = f"{count(len(sample.tokens) - sample.num_prompt_tokens, 'token')}, {significant(bits, 4)} bits"
    if num_bytes:
        figures += f", {significant(bits / num_bytes, 3)} bits per byte"
    parts = [tag("span", *(_token(*token) for token in prompt), class_="prompt") if prompt else None]
    parts += [_token(*token) for token in written]
    return tag("figure", tag("blockquote", *parts), tag("figcaption", figures), class_="sample")


def _merged(tokens: Sequence[str], nats: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Yield (text, bits); a token that ends inside a character is shown with the one that completes it."""
    bits = 0.0
    for index, (text, own) in enumerate(zip(tokens, nats, strict=True), 1):
        bits += own / log(2)
        if text or index == len(tokens):
            yield text, bits
            bits = 0.0


def _token(text: str, bits: float) -> Markup:
    shade = sum(bits >= least for least in _SHADES) if isfinite(bits) else len(_SHADES)
    # The space before a word stays outside: at the end of a line it would be a colored stroke.
    word = text.lstrip(" ")
    space = text[: len(text) - len(word)] if word else ""
    return join(space, tag("span", text[len(space) :], class_=f"t s{shade}", title=f"{significant(bits, 3)} bits"))


def _num_tokens(sample: ReportedSample) -> int:
    return sum(len(text.tokens) for text in sample.tokens)
