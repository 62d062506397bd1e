"""The figures of a sweep as files that outlive its runs: `NAME.json` and `NAME.svg`."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from homespun.data.manifest import MANIFEST_NAME, read_manifest
from homespun.experiments.plan import Variant
from homespun.experiments.plots import COLORS, INK, MARKERS, save_plot
from homespun.experiments.result import describe_machine
from homespun.experiments.sweep import SweepInProgress
from homespun.files import make_directory, write_text_atomically
from homespun.sweeps import Comparison, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNITS = {"loss": "validation loss (nats per token)", "bits_per_byte": "bits per byte of the validation text"}
_MAX_CURVES = 10


def publish(sweep: SweepInProgress, summary: Sweep, out: Path, command: str) -> list[Path]:
    """Write the figures of a sweep and their plots, and return the files.

    Args:
        sweep: Whose runs have the curves.
        summary: What has come of it.
        out: A directory, made if absent.
        command: What was typed.

    Raises:
        StorageError: the disk refuses.
    """
    make_directory(out)
    content = {
        "name": summary.name,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "versions": {name: version(name) for name in ("homespun", "torch")},
        "data": _describe_data(sweep),
        **asdict(summary),
    }
    path = out / f"{summary.name}.json"
    write_text_atomically(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    plot = out / f"{summary.name}.svg"
    grid = _numeric_grid(sweep.plan.expand())

    def draw(curves: "Axes", outcome: "Axes") -> None:
        _draw_curves(curves, sweep)
        if grid is None:
            _draw_differences(outcome, summary)
        else:
            _draw_grid(outcome, summary, *grid)

    save_plot(plot, draw, num_panels=2)
    return [path, plot]


def _describe_data(sweep: SweepInProgress) -> list[dict[str, Any]]:
    """Return the text of every data set that runs were trained on, by what its manifest says."""
    found = {}
    for run in sweep.list_runs():
        for split in ("train", "valid"):
            folder = Path(getattr(run.config.data, split))
            if folder not in found and (folder / MANIFEST_NAME).exists():
                manifest = read_manifest(folder)
                found[folder] = {"name": split, "tokens": manifest.num_tokens, "bytes": manifest.num_bytes}
    return [*found.values()]


def _numeric_grid(variants: Sequence[Variant]) -> tuple[str, dict[str, float]] | None:
    """Return the one key in which all variants differ, with their numbers; None where they differ otherwise."""
    keys = {key for variant in variants for key in variant.overrides}
    if len(keys) != 1 or any(len(variant.overrides) != 1 for variant in variants) or len(variants) < 3:
        return None
    (key,) = keys
    values = {variant.name: variant.overrides[key] for variant in variants}
    is_number = all(isinstance(value, float | int) and not isinstance(value, bool) for value in values.values())
    return (key, values) if is_number else None


def _draw_curves(axes: "Axes", sweep: SweepInProgress) -> None:
    """Validation during training, each variant's mean over its seeds: a fixed head of the text."""
    measure = sweep.plan.measure
    curves: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in sweep.list_runs():
        if run.budget == sweep.plan.equal[0]:
            for record in sweep.run_directory(run).read_validations():
                if not record.whole:
                    curves[run.variant][record.tokens].append(getattr(record, measure))
    lowest = min((mean(points[max(points)]) for points in curves.values()), default=0.0)
    for index, (name, points) in enumerate([*curves.items()][:_MAX_CURVES]):
        tokens = sorted(points)
        style = {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)], "markersize": 3}
        axes.plot(tokens, [mean(points[at]) for at in tokens], label=name, linewidth=1, **style)
    axes.set_ylim(bottom=lowest * 0.98, top=lowest * 2)
    axes.set_xlabel("tokens trained on")
    axes.set_ylabel(_UNITS[measure])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize="x-small")


def _draw_grid(axes: "Axes", summary: Sweep, key: str, values: dict[str, float]) -> None:
    """The final measure of every run over the value of the key."""
    finished = [run for run in summary.runs if run.status == "finished"]
    points = [(values[run.variant], run.measures[summary.measure]) for run in finished]
    axes.scatter([x for x, _ in points], [y for _, y in points], s=12, color=COLORS[0])
    means = {name: [run.measures[summary.measure] for run in finished if run.variant == name] for name in values}
    line = sorted((values[name], mean(found)) for name, found in means.items() if found)
    axes.plot([x for x, _ in line], [y for _, y in line], color=COLORS[0], linewidth=1)
    lost = sorted({values[run.variant] for run in summary.runs if run.status == "diverged"})
    for value in lost:
        axes.axvline(value, color=COLORS[1], linestyle=":", label="diverged" if value == lost[0] else None)
    if lost:
        axes.legend(fontsize="x-small")
    axes.set_xscale("log")
    axes.set_xlabel(key)
    axes.set_ylabel(f"final {_UNITS[summary.measure]}")


def _draw_differences(axes: "Axes", summary: Sweep) -> None:
    """Every variant's difference from the baseline with its interval, and the noise floor as a band."""
    shown = [comparison for comparison in summary.comparisons if comparison.difference is not None]
    for position, comparison in enumerate(reversed(shown)):
        assert comparison.difference is not None, "only these are shown"
        low, high = _interval(comparison)
        axes.plot([low, high], [position, position], color=COLORS[0], linewidth=1.5)
        axes.plot([comparison.difference], [position], marker="o", markersize=4, color=COLORS[0])
    if summary.noise_floor is not None:
        axes.axvspan(-summary.noise_floor, summary.noise_floor, color=INK, alpha=0.2, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    labels = [f"{each.variant} ({each.budget})" for each in reversed(shown)]
    axes.set_yticks(range(len(labels)), labels, fontsize="x-small")
    axes.set_xlabel(f"difference from {summary.baseline}, 95 % interval; grey: noise of the baseline")


def _interval(comparison: Comparison) -> tuple[float, float]:
    center = comparison.difference or 0.0
    return (
        center if comparison.low is None else comparison.low,
        center if comparison.high is None else comparison.high,
    )
