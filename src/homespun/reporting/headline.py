"""The page's first sentence: what was trained on what, how long, how good, where and when."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath

from homespun.reporting.figures import compact, count, fixed, grouped, listing, significant, spoken_duration
from homespun.reporting.run import ReportedRun

_MAX_CORPORA = 3
_CORPORA = {"storybook": "the storybook", "tinystories": "TinyStories", "openwebtext": "OpenWebText"}


def best_of(runs: Sequence[ReportedRun]) -> ReportedRun | None:
    """The run of the lowest final bits per byte; of those that scored the whole validation set where there are any."""
    scored = [run for run in runs if run.final_validation is not None and abs(_bits(run)) < float("inf")]
    whole = [run for run in scored if run.final_validation is not None and run.final_validation.whole]
    return min(whole or scored, key=_bits, default=None)


def _bits(run: ReportedRun) -> float:
    final = run.final_validation
    return final.bits_per_byte if final is not None else float("inf")


def describe_model(run: ReportedRun) -> str:
    """The kind and size of a run's model, such as: a Transformer of 1.3 M parameters (4 layers, width 128)."""
    size = f" of {compact(run.result.num_parameters)} parameters" if run.result else ""
    layers, width = run.settings.get("model.num_layers"), run.settings.get("model.d_model")
    shape = f" ({layers} layers, width {width})" if isinstance(layers, int) and isinstance(width, int) else ""
    return f"a Transformer{size}{shape}"


def corpus_of(run: ReportedRun) -> str:
    """What a run was trained on; "" where its recipe does not say."""
    corpus, train = run.settings.get("source.corpus"), run.settings.get("source.train")
    if isinstance(corpus, str) and corpus in _CORPORA:
        return _CORPORA[corpus]
    files = train if isinstance(train, list) else [train]
    named = [PurePosixPath(file).name for file in files if isinstance(file, str)]
    return listing(named[:3]) + (" and others" if len(named) > 3 else "") if named else ""


def on_corpora(runs: Sequence[ReportedRun]) -> str:
    """What the runs were trained on, as in: " on the storybook"; "" where no recipe says."""
    corpora = sorted({corpus_of(run) for run in runs} - {""})
    return f" on {listing(corpora[:_MAX_CORPORA])}" if corpora else ""


def machine_of(run: ReportedRun) -> str:
    """Where a run was trained, as in: AMD EPYC (2 threads, bfloat16)."""
    machine = run.machine
    threads = (
        count(machine.num_threads, "thread") if machine.num_threads and machine.device == machine.processor else ""
    )
    details = ", ".join(detail for detail in (threads, machine.precision) if detail)
    return (machine.device or machine.processor or "an unrecorded machine") + (f" ({details})" if details else "")


def versions_of(run: ReportedRun) -> str:
    """The versions that a run was trained with."""
    packages = {name: version for name, version in run.machine.packages.items() if name in {"homespun", "torch"}}
    if run.sessions:
        packages["homespun"] = run.sessions[-1].version
    written = [f"{name} {packages[name]}" for name in ("homespun", "torch") if name in packages]
    return ", ".join(written + ([f"Python {run.machine.python}"] if run.machine.python else []))


def date_of(run: ReportedRun) -> str:
    """The day on which a run began, as in 27 November 2026; "" where it is not recorded."""
    if not run.sessions:
        return ""
    try:
        began = datetime.strptime(run.sessions[0].began, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
    return f"{began.day} {began:%B %Y}"


def describe_quality(run: ReportedRun) -> str:
    """How good a run is, as in: reaches 0.3105 bits per byte, 0.0536 above the exact entropy of the text."""
    final = run.final_validation
    if final is None:
        return "has not been validated yet"
    reaches = f"reaches {fixed(final.bits_per_byte)} bits per byte of held-out text"
    excess = run.excess_bits_per_byte
    if excess is None:
        return f"{reaches} (loss {fixed(final.loss)}, perplexity {significant(final.perplexity, 4)})"
    return f"{reaches}, {fixed(abs(excess))} {'above' if excess >= 0 else 'below'} its exact entropy"


def headline(runs: Sequence[ReportedRun]) -> str:
    """Return the sentences that open a report on `runs`."""
    best = best_of(runs) or runs[0]
    corpus = f" of {corpus_of(best)}" if corpus_of(best) else ""
    spent = f"{grouped(best.last_tokens)} tokens{corpus} in {spoken_duration(best.seconds)}"
    when = date_of(best)
    where = f"on {machine_of(best)}" + (f", {when}" if when else "")
    versions = versions_of(best)
    closing = f" Trained {where}{f', with {versions}' if versions else ''}."
    if len(runs) == 1:
        state = "" if best.result else " It has not finished; the figures are those of its last records."
        return f"{_capital(describe_model(best))}, trained on {spent}, {describe_quality(best)}.{state}{closing}"
    return (
        f"{count(len(runs), 'run')}{on_corpora(runs)}. The best, {best.name}, "
        f"is {describe_model(best)} that saw {spent}; it {describe_quality(best)}.{closing}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
