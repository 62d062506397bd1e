"""The top of the page: what was reached, as large figures, and next to it the exact entropy where that is known."""

from collections.abc import Sequence
from math import exp

from homespun.reporting.curves import Curve
from homespun.reporting.figures import compact, count, duration, fixed, grouped, percent, signed, significant
from homespun.reporting.headline import best_of, date_of, machine_of, versions_of
from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.ruler import render_ruler
from homespun.reporting.run import ReportedRun

_LARGEST_EXPONENT = 700.0
"""e to this is about the largest float."""


def render_hero(runs: Sequence[ReportedRun], curves: Sequence[Curve]) -> Markup:
    """Return the large figures of the best run, or of the best variant's mean, and the ruler of all of them."""
    best = best_of(runs)
    if best is None or best.final_validation is None:
        return Markup("")
    reached = _reached(curves, best)
    if not reached:
        # No run has scored the whole validation set yet.
        bits, loss = best.final_validation.bits_per_byte, best.final_validation.loss
        return _render_figures(bits, loss, "bits per byte, of a head of the validation text")
    bits, curve = reached[0]
    named = "bits per byte of held-out text"
    if len(curve.runs) > 1:
        named = f"{curve.name}, mean of {count(len(curve.runs), 'seed')}"
        named += f", the best of {len(reached)}" if len(reached) > 1 else ""
    elif len(reached) > 1:
        named = f"{curve.name}, the best of {len(reached)}"
    entropy = best.entropy.bits_per_byte if best.entropy is not None else None
    if entropy is None or not entropy > 0:
        return _render_figures(bits, curve.end["loss"][-1] or 0.0, named)
    excess = bits - entropy
    share = f"{percent(abs(excess) / entropy)} {'more' if excess >= 0 else 'less'} than the text holds"
    figures = [
        _figure("Exact entropy", fixed(entropy), "bits per byte: no model can expect less", "entropy"),
        _figure("Gap", signed(excess), share, "gap"),
        _figure("Reached", fixed(bits), named, "reached"),
    ]
    return tag("section", *figures, render_ruler(entropy, reached), class_="hero", aria_label="The result")


def _render_figures(bits: float, loss: float, named: str) -> Markup:
    """The figures of a text whose entropy nobody knows."""
    perplexity = significant(exp(loss), 4) if loss < _LARGEST_EXPONENT else "\u221e"
    figures = [
        _figure("Reached", fixed(bits), named, "reached"),
        _figure("Loss", fixed(loss), "nats per token", "other"),
        _figure("Perplexity", perplexity, "tokens to choose from, in effect", "other"),
    ]
    return tag("section", *figures, class_="hero", aria_label="The result")


def _reached(curves: Sequence[Curve], best: ReportedRun) -> list[tuple[float, Curve]]:
    """What each curve of the first budget reached on the whole of the best run's validation text, the best first."""
    reached = []
    for curve in curves:
        ends = [value for value in curve.end["bits"] if value is not None]
        first = curve.runs[0]
        same_text = first.entropy == best.entropy and _num_bytes(first) == _num_bytes(best)
        if ends and same_text and curve.budget == curves[0].budget:
            reached.append((ends[-1], curve))
    return sorted(reached, key=lambda pair: pair[0])


def _num_bytes(run: ReportedRun) -> int | None:
    return run.final_validation.num_bytes if run.final_validation is not None else None


def _figure(title: str, number: str, below: str, kind: str) -> Markup:
    eyebrow, big = tag("p", title, class_="eyebrow"), tag("p", number, class_="big")
    return tag("div", eyebrow, big, tag("p", below, class_="below"), class_=f"figure {kind}")


def render_facts(runs: Sequence[ReportedRun]) -> Markup:
    """Return what the best run cost, where and when, as a list of terms."""
    best = best_of(runs) or runs[0]
    result = best.result
    commits = sorted({s.commit[:10] for s in best.sessions if s.commit})
    utilisation = [record.mfu for record in best.train if 0 < record.mfu <= 1]
    facts: list[tuple[str, str | None]] = [
        ("Parameters", grouped(result.num_parameters) if result else None),
        ("Tokens", grouped(best.last_tokens)),
        ("Training time", duration(best.seconds)),
        ("Speed", f"{compact(result.tokens_per_second)} tokens/s" if result else None),
        ("Utilisation", percent(sum(utilisation) / len(utilisation)) if utilisation else None),
        ("Machine", machine_of(best)),
        ("Began", date_of(best) or None),
        ("Versions", versions_of(best) or None),
        ("Commit", ", ".join(commits[:3]) or None),
    ]
    shown = [join(tag("dt", term), tag("dd", value)) for term, value in facts if value]
    title = tag("p", f"The best run, {best.name}", class_="eyebrow facts-title") if len(runs) > 1 else None
    return join(title, tag("dl", *(tag("div", fact) for fact in shown), class_="facts"))
