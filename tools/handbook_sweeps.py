"""Tables of sweeps for the handbook, from what `homespun sweep --publish` wrote."""

import re
from statistics import mean
from typing import Any

from handbook_markdown import escape, make_table, number

_SOURCES = {"W": "A write-up (one H100)", "M": "Notes", "N": "A notebook", "H": "The course handout"}
"""What plans call published works by one letter."""
_UNITS = {"loss": "loss (nats per token)", "bits_per_byte": "bits per byte"}

Result = dict[str, Any]


def show_known(result: Result) -> str:
    """What others found, and what this scale does not show."""
    lines = [
        re.sub(rf"^({'|'.join(_SOURCES)})\b", lambda found: _SOURCES[found[1]], sentence)
        for sentence in result["known"]
    ]
    caveat = f"\n{escape(result['caveat'])}\n" if result["caveat"] else ""
    return "".join(f"- {escape(line)}\n" for line in lines) + caveat


def show_comparisons(result: Result) -> str:
    """Every variant of a sweep against the baseline, a table for each budget."""
    measure, budgets = result["measure"], dict.fromkeys(run["budget"] for run in result["runs"])
    unit = _UNITS.get(measure, measure.replace("_", " "))
    tables = []
    for budget in budgets:
        runs = [run for run in result["runs"] if run["budget"] == budget]
        compared = [each for each in result["comparisons"] if each["budget"] == budget]
        rows = [_row(result["baseline"], runs, measure, "baseline", "")]
        rows += [_row(each["variant"], runs, measure, *_difference(each)) for each in compared]
        heads = ["variant", "runs", unit, "difference (95 % interval)", "verdict", "tokens", "processor seconds"]
        tables.append(f"Equal {budget}:\n\n{make_table(heads, rows)}")
    if result["noise_floor"] is not None:
        noise = f"{number(result['noise_floor'])} {unit}"
        tables.append(f"Standard deviation of the baseline over its {len(result['seeds'])} seeds: {noise}.\n")
    return "\n".join(tables)


def _row(variant: str, runs: list[Result], measure: str, difference: str, verdict: str) -> list[str]:
    """A variant's runs under one budget."""
    own = [run for run in runs if run["variant"] == variant]
    finished = [run for run in own if run["status"] == "finished"]
    diverged = sum(run["status"] == "diverged" for run in own)
    count = f"{len(finished)}" + (f", {diverged} diverged" if diverged else "")
    if not finished:
        return [escape(variant), count, "", difference, verdict, "", ""]
    spent = [f"{mean(run[key] for run in finished):,.0f}" for key in ("tokens", "cpu_seconds")]
    value = f"{mean(run['measures'][measure] for run in finished):.4f}"
    return [escape(variant), count, value, difference, verdict, *spent]


def _difference(comparison: Result) -> tuple[str, str]:
    """A paired difference with its interval, and what it shows."""
    if comparison["difference"] is None:
        return "", "diverged" if comparison["num_diverged"] else comparison["verdict"]
    text = f"{comparison['difference']:+.4f}"
    if comparison["low"] is not None:
        text += f" ({comparison['low']:+.4f} to {comparison['high']:+.4f})"
    return text, comparison["verdict"]


def show_edge(result: Result) -> str:
    """Of a sweep over the learning rate: the best rate, and where runs begin to diverge."""
    measure = result["measure"]
    unit = _UNITS.get(measure, measure)
    rates = {each["name"]: each["overrides"]["optim.lr"] for each in result["variants"]}
    finished = {rate: [] for rate in sorted(rates.values())}
    lost = set()
    for run in result["runs"]:
        if run["status"] == "finished":
            finished[rates[run["variant"]]].append(run["measures"][measure])
        elif run["status"] == "diverged":
            lost.add(rates[run["variant"]])
    means = {rate: mean(values) for rate, values in finished.items() if values}
    best = min(means, key=lambda rate: means[rate])
    lines = [f"- lowest at a rate of {best:g}: {means[best]:.4f} {unit}"]
    lines += [f"- at {rate:g}, {rate / best:.3g} times the best: {means[rate]:.4f}" for rate in means if rate > best]
    lines.append(
        f"- runs diverge from {min(lost):g} on, {min(lost) / best:.3g} times the best"
        if lost
        else f"- no run diverged, up to {max(finished):g}, {max(finished) / best:.3g} times the best"
    )
    return "\n".join(lines) + "\n"


def show_speed(result: Result) -> str:
    """Steps and speed of every variant of a sweep."""
    rows = []
    for variant in (each["name"] for each in result["variants"]):
        runs = [run for run in result["runs"] if run["variant"] == variant and run["status"] == "finished"]
        if runs:
            speed = sum(run["tokens"] for run in runs) / sum(run["cpu_seconds"] for run in runs)
            value = mean(run["measures"][result["measure"]] for run in runs)
            rows.append([escape(variant), f"{runs[0]['num_steps']:,}", f"{speed:,.0f}", f"{value:.4f}"])
    unit = _UNITS.get(result["measure"]) or str(result["measure"])
    return make_table(["variant", "steps", "tokens a processor second", unit], rows)
