"""What has come of a sweep: comparisons with the baseline, and sentences computed from them."""

from collections.abc import Sequence
from statistics import mean

from homespun.experiments.plan import Plan
from homespun.experiments.statistics import compare_pairs, judge, noise_floor
from homespun.sweeps import SWEEP_VERSION, Budget, Comparison, Sweep, SweepRun, SweepVariant

_EQUAL = {
    "tokens": "for the same tokens",
    "steps": "for the same steps",
    "time": "for the same processor time",
    "flops": "for the same FLOPs",
}
_UNITS = {"loss": "nats per token", "bits_per_byte": "bits per byte"}


def summarize(plan: Plan, runs: Sequence[SweepRun]) -> Sweep:
    """Return the plan with its runs, comparisons and conclusions."""
    floor = noise_floor([*_values(plan, runs, plan.baseline, plan.equal[0]).values()])
    variants = plan.expand()
    comparisons = [
        _compare(plan, runs, variant.name, budget)
        for budget in plan.equal
        for variant in variants
        if variant.name != plan.baseline and any(run.variant == variant.name for run in runs)
    ]
    return Sweep(
        version=SWEEP_VERSION,
        name=plan.name,
        question=plan.question,
        measure=plan.measure,
        lower_is_better=True,
        rule=plan.rule,
        baseline=plan.baseline,
        seeds=plan.seeds,
        noise_floor=floor,
        variants=[
            SweepVariant(name=variant.name, base=variant.base, overrides=variant.overrides) for variant in variants
        ],
        runs=[*runs],
        comparisons=comparisons,
        conclusions=_conclude(plan, runs, floor, comparisons),
        known=plan.known,
        caveat=plan.caveat,
    )


def _values(plan: Plan, runs: Sequence[SweepRun], variant: str, budget: Budget) -> dict[int, float]:
    """Return the measure of the variant's finished runs by seed; of a halved sweep, that of the longest runs."""
    mine = [run for run in runs if run.variant == variant and run.budget == budget and run.status == "finished"]
    longest = max((run.num_steps for run in mine), default=0)
    return {run.seed: run.measures[plan.measure] for run in mine if run.num_steps == longest}


def _compare(plan: Plan, runs: Sequence[SweepRun], variant: str, budget: Budget) -> Comparison:
    values = _values(plan, runs, variant, budget)
    difference = compare_pairs(values, _values(plan, runs, plan.baseline, budget))
    diverged = [run for run in runs if (run.variant, run.budget, run.status) == (variant, budget, "diverged")]
    return Comparison(
        variant=variant,
        budget=budget,
        num_pairs=difference.num_pairs if difference else 0,
        num_diverged=len(diverged),
        mean=mean(values.values()) if values else None,
        difference=difference.mean if difference else None,
        low=difference.low if difference else None,
        high=difference.high if difference else None,
        smallest_visible=difference.smallest_visible if difference else None,
        verdict=judge(difference, lower_is_better=True),
    )


def _conclude(
    plan: Plan, runs: Sequence[SweepRun], floor: float | None, comparisons: Sequence[Comparison]
) -> list[str]:
    unit = _UNITS[plan.measure]
    baseline = _values(plan, runs, plan.baseline, plan.equal[0])
    sentences = []
    if baseline:
        noise = "" if floor is None else f"; over {len(baseline)} seeds the standard deviation is {floor:.4f}"
        sentences.append(f"{plan.baseline}: {mean(baseline.values()):.4f} {unit}{noise}.")
    waiting = {run.variant for run in runs if run.status == "waiting"}
    sentences += [
        _sentence(plan, comparison, unit)
        for comparison in comparisons
        if comparison.difference is not None or comparison.variant not in waiting
    ]
    finished = [each for each in comparisons if each.mean is not None and each.budget == plan.equal[0]]
    if baseline and finished:
        means = {plan.baseline: mean(baseline.values())} | {each.variant: each.mean or 0.0 for each in finished}
        best = min(means, key=lambda name: means[name])
        sentences.append(f"The best is {best}, {means[best]:.4f} {unit}.")
    if waiting:
        number = sum(run.status == "waiting" for run in runs)
        sentences.append(f"{number} of {len(runs)} runs are not finished: {', '.join(sorted(waiting))}.")
    return sentences


def _sentence(plan: Plan, comparison: Comparison, unit: str) -> str:
    name, equal, lost = comparison.variant, _EQUAL[comparison.budget], comparison.num_diverged
    if any(each.name == name and each.budget != plan.budget for each in plan.expand()):
        equal = "with a budget of its own"
    diverged = f" {lost} of its runs diverged." if lost else ""
    if comparison.difference is None:
        return f"{name}: no finished run to compare {equal}.{diverged}"
    size = f"{abs(comparison.difference):.4f} {unit}"
    if comparison.low is None or comparison.high is None or comparison.smallest_visible is None:
        direction = "below" if comparison.difference < 0 else "above"
        return f"{name}: {size} {direction} {plan.baseline} {equal}, by one pair, which shows nothing.{diverged}"
    interval = f"95 % interval {comparison.low:+.4f} to {comparison.high:+.4f}, {comparison.num_pairs} pairs"
    if comparison.verdict == "no visible difference":
        return (
            f"{name}: no visible difference from {plan.baseline} {equal} ({interval}); one of "
            f"{comparison.smallest_visible:.4f} would have shown.{diverged}"
        )
    return f"{name} is {comparison.verdict} than {plan.baseline} by {size} {equal} ({interval}).{diverged}"
