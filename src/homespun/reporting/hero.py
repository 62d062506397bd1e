"""The top of the page: what was reached, as large figures, and next to it the exact entropy where that is known."""

from collections.abc import Sequence

from homespun.reporting.curves import Curve
from homespun.reporting.figures import compact, count, duration, fixed, grouped, percent, signed, significant
from homespun.reporting.headline import best_of, date_of, machine_of, versions_of
from homespun.reporting.markup import Markup, join, tag
from homespun.reporting.ruler import render_ruler
from homespun.reporting.run import ReportedRun


def render_hero(runs: Sequence[ReportedRun], curves: Sequence[Curve]) -> Markup:
    """Return the large figures of the best run, or of the best variant's mean, and the ruler of all of them."""
    best = best_of(runs)
    if best is None or best.final_validation is None:
        return Markup("")
    final, entropy = best.final_validation, best.entropy
    reached = _reached(curves, best)
    if entropy is None or not entropy.bits_per_byte > 0 or not reached:
        of_best = f"{best.name}, the best of {len(runs)} runs" if len(runs) > 1 else "bits per byte of held-out text"
        figures = [
            _figure("Reached", fixed(final.bits_per_byte), of_best, "reached"),
            _figure("Loss", fixed(final.loss), "nats per token", "other"),
            _figure("Perplexity", significant(final.perplexity, 4), "tokens to choose from, in effect", "other"),
        ]
        return tag("section", *figures, class_="hero", aria_label="The result")
    value, curve = reached[0]
    of_best = "bits per byte of held-out text"
    if len(curve.runs) > 1:
        of_best = f"{curve.name}, mean of {count(len(curve.runs), 'seed')}, the best of {len(reached)} variants"
    elif len(reached) > 1:
        of_best = f"{curve.name}, the best of {len(reached)}"
    excess = value - entropy.bits_per_byte
    share = f"{percent(abs(excess) / entropy.bits_per_byte)} {'more' if excess >= 0 else 'less'} than the text holds"
    figures = [
        _figure("Exact entropy", fixed(entropy.bits_per_byte), "bits per byte: no model can expect less", "entropy"),
        _figure("Gap", signed(excess), share, "gap"),
        _figure("Reached", fixed(value), of_best, "reached"),
    ]
    return tag(
        "section", *figures, render_ruler(entropy.bits_per_byte, reached), class_="hero", aria_label="The result"
    )


def _reached(curves: Sequence[Curve], best: ReportedRun) -> list[tuple[float, Curve]]:
    """What each curve of the first budget reached on the whole of the best run's validation text, the best first."""
    reached = []
    for curve in curves:
        ends = [value for value in curve.end["bits"] if value is not None]
        same_text = curve.runs[0].entropy == best.entropy and curve.budget == curves[0].budget
        if ends and same_text:
            reached.append((ends[-1], curve))
    return sorted(reached, key=lambda pair: pair[0])


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
