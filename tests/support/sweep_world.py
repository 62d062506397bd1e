"""A sweep directory around real runs: the figures are read from them, the statistics computed here in another way."""

import json
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev

from homespun.records import RunDirectory
from homespun.sweeps import SWEEP_VERSION, Comparison, Sweep, SweepDirectory, SweepRun, SweepVariant

# Two-sided 95 % quantiles of Student's t by degrees of freedom; any table of it.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def describe_run(root: Path, variant: str, seed: int, budget="tokens", status="finished") -> SweepRun:
    """One run as a sweep lists it; its directory is `runs/NAME` in the sweep's."""
    directory = RunDirectory(root)
    result = directory.read_result()
    if result is None:
        failure = "loss is not finite" if status == "diverged" else None
        return SweepRun(
            variant=variant, budget=budget, seed=seed, directory=f"runs/{root.name}", status=status, num_steps=100,
            failure=failure,
        )  # fmt: skip
    return SweepRun(
        variant=variant, budget=budget, seed=seed, directory=f"runs/{root.name}", status=status,
        num_steps=result.steps, num_parameters=result.num_parameters, tokens=result.tokens, seconds=result.seconds,
        cpu_seconds=result.seconds * 0.97, flops=6.0 * result.num_parameters * result.tokens,
        measures={"bits_per_byte": result.validation.bits_per_byte, "loss": result.validation.loss},
    )  # fmt: skip


def compare(variant: str, baseline: list[SweepRun], runs: list[SweepRun], budget="tokens") -> Comparison:
    """The paired comparison of a variant with the baseline."""
    values = {run.seed: run.measures["bits_per_byte"] for run in runs if run.status == "finished"}
    floor = {run.seed: run.measures["bits_per_byte"] for run in baseline}
    pairs = [values[seed] - floor[seed] for seed in values if seed in floor]
    half = low = high = None
    verdict = "too few runs"
    if len(pairs) > 1:
        half = STUDENT[len(pairs) - 1] * stdev(pairs) / len(pairs) ** 0.5
        low, high = mean(pairs) - half, mean(pairs) + half
        verdict = "worse" if low > 0 else "better" if high < 0 else "no visible difference"
    return Comparison(
        variant=variant, budget=budget, num_pairs=len(pairs), num_diverged=sum(r.status == "diverged" for r in runs),
        mean=mean(values.values()) if values else None, difference=mean(pairs) if pairs else None, low=low, high=high,
        smallest_visible=None if half is None else 1.3 * half, verdict=verdict,
    )  # fmt: skip


def write_sweep(root: Path, overrides: dict[str, dict], runs: list[SweepRun], question: str, **changes) -> Sweep:
    """Write `sweep.json`; the first variant is the baseline."""
    baseline = next(iter(overrides))
    budgets = sorted({run.budget for run in runs}, reverse=True)
    comparisons = []
    for budget in budgets:
        of = {name: [r for r in runs if r.variant == name and r.budget == budget] for name in overrides}
        done = [run for run in of[baseline] if run.status == "finished"]
        comparisons += [compare(name, done, of[name], budget) for name in overrides]
    floor = [
        run.measures["bits_per_byte"]
        for run in runs
        if run.variant == baseline and run.budget == budgets[0] and run.measures
    ]
    judged = [row for row in comparisons if row.difference is not None and row.variant != baseline]
    judged.sort(key=lambda row: row.difference)
    sweep = Sweep(
        version=SWEEP_VERSION, name=root.name, question=question, measure="bits_per_byte", lower_is_better=True,
        rule=f"{len(floor)} seeds of the baseline and of every variant, none added afterwards", baseline=baseline,
        seeds=list(range(len(floor))), noise_floor=stdev(floor) if len(floor) > 1 else None,
        variants=[SweepVariant(name=name, base="base.yaml", overrides=keys) for name, keys in overrides.items()],
        runs=runs,
        comparisons=comparisons,
        conclusions=[
            f"{row.variant} is {row.verdict}: {row.difference:+.4f} bits per byte ({row.low:+.4f} to {row.high:+.4f})."
            for row in [*judged[:2], *judged[-2:]] if row.low is not None
        ],
    )  # fmt: skip
    sweep = Sweep(**{**{key: getattr(sweep, key) for key in sweep.__dataclass_fields__}, **changes})
    root.mkdir(parents=True, exist_ok=True)
    SweepDirectory(root).sweep.write_text(json.dumps(asdict(sweep), indent=1))
    return sweep
